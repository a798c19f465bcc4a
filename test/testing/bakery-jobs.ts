/** Jobs that the tests of the kit order, and how they are worked on. */
import { z } from 'zod'
import { defineJob, handle } from '../../src/index.ts'
import type { Handler } from '../../src/index.ts'

export const sendMail = defineJob('mail.send', {
  service: 'post',
  input: z.object({ to: z.string(), about: z.object({ order: z.string() }).optional() }),
})

export const bakeBread = defineJob('bread.bake', {
  service: 'bakery',
  input: z.object({ loaves: z.int() }),
  output: z.object({ baked: z.int() }),
  phases: ['mix', 'bake', 'wrap'],
  retry: { maxAttempts: 3, backoff: { base: '1m', max: '1h' } },
})

export interface BreadResults {
  readonly mix: { readonly dough: number }
  readonly bake: { readonly loaves: number }
  readonly wrap: { readonly baked: number }
}

/** Tells which phases ran. */
export function bakeBreadInto(ran: string[]): Handler<typeof bakeBread, BreadResults> {
  return handle(bakeBread)
    .phase('mix', ({ input, log }) => {
      ran.push('mix')
      log.info('mixed', { loaves: input.loaves })
      return { dough: input.loaves * 500 }
    })
    .phase('bake', async ({ results, progress, artifact }) => {
      ran.push('bake')
      progress(50)
      await artifact.write('crust.txt', 'brown', { contentType: 'text/plain' })
      return { loaves: results.mix.dough / 500 }
    })
    .phase('wrap', ({ results }) => {
      ran.push('wrap')
      return { baked: results.bake.loaves }
    })
}

/** Bread that needs three tries. */
export function burningOven(): Handler<typeof bakeBread> {
  let tries = 0
  return handle(bakeBread)
    .phase('mix', () => ({ dough: 1 }))
    .phase('bake', () => {
      tries += 1
      if (tries < 3) throw new Error(`burnt the ${tries}. time`)
      return {}
    })
    .phase('wrap', ({ input }) => ({ baked: input.loaves }))
}
