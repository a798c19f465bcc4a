/** What must not compile about handlers. Each wrong use stands under an expected error; `tsc` fails where it would compile. */
import { z } from 'zod'
import { defineJob } from '../../src/client/define-job.ts'
import { handle } from '../../src/worker/handler.ts'
import type { Handler } from '../../src/worker/handler.ts'
import type { WrittenArtifact } from '../../src/worker/handler-context.ts'

declare function work(handlers: readonly Handler[]): void
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- two such functions are alike only if A and B are
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function same<A, B>(equal: Equal<A, B>): void

const sendMail = defineJob('mail.send', { service: 'mail', input: z.object({ to: z.string() }) })
const exportMap = defineJob('map.export', {
  service: 'maps',
  input: z.object({ region: z.string(), width: z.coerce.number() }),
  output: z.object({ file: z.string(), bytes: z.number() }),
  phases: ['load', 'render', 'store'],
})

interface Country {
  readonly name: string
  readonly area?: number
}

// A job of one phase takes its function; its input has the type that the schema gives back.
const mailer = handle(sendMail, async ({ input, attempt, signal }) => {
  same<typeof input, { to: string }>(true)
  same<typeof attempt, number>(true)
  same<typeof signal, AbortSignal>(true)
})
work([mailer])
work([handle(sendMail, () => null), handle(sendMail, () => ({ sent: true })), handle(sendMail, () => {})])

// Each phase sees the results of the phases before it, and no others.
const loaded = handle(exportMap, { module: import.meta.url }).phase('load', async ({ input }): Promise<Country[]> => {
  same<typeof input.width, number>(true)
  return [{ name: input.region }]
})
const rendered = loaded.phase('render', ({ results, artifact, progress }) => {
  same<typeof results.load, Country[]>(true)
  progress(50, { countries: results.load.length })
  // @ts-expect-error -- the result of a phase that has not run
  same<typeof results.store, null>(true)
  return artifact.write('map.png', new Uint8Array(8))
})
const complete = rendered.phase('store', ({ results }) => {
  same<typeof results.render, WrittenArtifact>(true)
  return { file: results.render.artifactId, bytes: results.render.sizeBytes }
})
work([complete, mailer])

// A phase that returns nothing is null to the later ones.
handle(exportMap)
  .phase('load', () => {})
  .phase('render', ({ results }) => {
    same<typeof results.load, null>(true)
  })

// @ts-expect-error -- the phases 'render' and 'store' are missing
work([loaded])
// @ts-expect-error -- no phase at all
work([handle(exportMap)])
// @ts-expect-error -- not the order of the definition
handle(exportMap).phase('render', () => null)
// @ts-expect-error -- a phase that the definition does not name
handle(exportMap).phase('upload', () => null)
// @ts-expect-error -- every phase has its function already
complete.phase('store', () => ({ file: '', bytes: 0 }))
// @ts-expect-error -- one function for a definition of several phases
handle(exportMap, () => ({ file: '', bytes: 0 }))
// @ts-expect-error -- the last phase returns what the output's schema takes
rendered.phase('store', () => ({ file: 'map.png', bytes: 'many' }))
// @ts-expect-error -- the same, of a promise
rendered.phase('store', async () => ({ file: 'map.png' }))
// @ts-expect-error -- bytes are artifacts, not results
handle(exportMap).phase('load', () => new Uint8Array(8))
// @ts-expect-error -- a date in a result would come back as a text
handle(exportMap).phase('load', async () => ({ at: new Date() }))
// @ts-expect-error -- neither would a map survive
handle(sendMail, () => new Map([['a', 1]]))
// How an entity stands is told of the input that jobs of the type have, by the definition as well as by the handler.
defineJob('mail.send', {
  service: 'mail',
  input: z.object({ to: z.string(), copies: z.coerce.number() }),
  entityStatus: ({ input }) => {
    same<typeof input.to, string>(true)
    return { final: true, status: input.to }
  },
})
defineJob('mail.send', {
  service: 'mail',
  input: z.object({ to: z.string() }),
  entityStatus: ({ input }) => {
    // @ts-expect-error -- a property that the input does not have
    same<typeof input.from, string>(true)
    return { final: true, status: 'SENT' }
  },
})
// @ts-expect-error -- whether it is final has to be said
defineJob('mail.send', { service: 'mail', entityStatus: () => ({ status: 'READY' }) })
// @ts-expect-error -- an isolation that does not exist
handle(exportMap, { isolation: 'container' })
handle(sendMail, ({ input }) => {
  // @ts-expect-error -- a property that the input's schema does not have
  same<typeof input.from, string>(true)
})
// @ts-expect-error -- progress is a number
handle(sendMail, ({ progress }) => progress('50 %'))
