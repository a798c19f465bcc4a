import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineJob } from '../../src/client/define-job.ts'
import { InvalidInputError } from '../../src/core/errors.ts'
import { handle } from '../../src/worker/handler.ts'
import type { ContextOf } from '../../src/worker/handler.ts'
import { openWorkplace } from './open-workplace.ts'
import type { Workplace } from './open-workplace.ts'

const draw = defineJob('draw', { service: 'tests' })

type Context = ContextOf<typeof draw>

/** A job whose handler waits for the test, and hands out its context. */
async function openHandler(place: Workplace): Promise<{ id: string; context: Context; end: () => Promise<void> }> {
  const id = await place.enqueue(draw, { n: 1 }, { tenant: 'acme', owner: 'ann', labels: { course: 'c1' } })
  const gate = Promise.withResolvers<null>()
  const given = Promise.withResolvers<Context>()
  await place.start([
    handle(draw, (context) => {
      given.resolve(context)
      return gate.promise
    }),
  ])
  return {
    id,
    context: await given.promise,
    end: async () => {
      gate.resolve(null)
      await place.runtime.advance(0)
    },
  }
}

async function details(place: Workplace, id: string, name: string): Promise<readonly unknown[]> {
  const events = await place.events(id)
  return events.filter((event) => event.name === name).map(({ detail }) => JSON.parse(detail ?? 'null') as unknown)
}

describe('the context of a handler', () => {
  test('says which job, whose, and which attempt it is', async (context) => {
    const place = await openWorkplace(context)
    const { id, context: handler } = await openHandler(place)
    const { jobId, type, tenant, owner, labels, input, results, attempt, generation, phase, fence } = handler
    assert.deepEqual(
      { jobId, type, tenant, owner, labels, input, results, attempt, generation, phase, fence },
      {
        jobId: id,
        type: 'draw',
        tenant: 'acme',
        owner: 'ann',
        labels: { course: 'c1' },
        input: { n: 1 },
        results: {},
        attempt: 1,
        generation: 1,
        phase: 'run',
        fence: 1,
      },
    )
  })

  test('has one signal, which is aborted already where the reason came before it was asked for', async (context) => {
    const place = await openWorkplace(context)
    const { id, context: handler } = await openHandler(place)
    await place.cancel(id)
    await place.runtime.advance(50)
    assert.equal(handler.signal, handler.signal)
    assert.equal(handler.signal.aborted, true)
    assert.equal((handler.signal.reason as { code: string }).code, 'job-cancelled')
  })
})

describe('progress', () => {
  test('is written at most every 250 ms and told at most every second, the last one in the end', async (context) => {
    const place = await openWorkplace(context)
    const { id, context: handler } = await openHandler(place)
    for (let percent = 1; percent <= 30; percent += 1) {
      handler.progress(percent, { tile: percent })
      await place.runtime.advance(50)
    }
    const written = place.calls.filter(({ plan }) => plan.name.startsWith('progress'))
    assert(written.length >= 6 && written.length <= 7, `${written.length} writes in 1.5 s`)
    await place.runtime.advance(2_000)
    assert.equal((await place.job(id)).progress, 30)
    assert.deepEqual(await details(place, id, 'job:progress'), [
      { percent: 1, phase: 'run', context: { tile: 1 } },
      { percent: 20, phase: 'run', context: { tile: 20 } },
      { percent: 30, phase: 'run', context: { tile: 30 } },
    ])
  })

  test('never falls, and tells nothing new of the same percent', async (context) => {
    const place = await openWorkplace(context)
    const { id, context: handler } = await openHandler(place)
    handler.progress(40)
    await place.runtime.advance(1_500)
    handler.progress(20)
    handler.progress(40.4)
    await place.runtime.advance(1_500)
    assert.equal((await place.job(id)).progress, 40.4)
    assert.deepEqual(await details(place, id, 'job:progress'), [{ percent: 40, phase: 'run' }])
  })

  test('counts within its phase, and each phase alike', async (context) => {
    const place = await openWorkplace(context)
    const steps = defineJob('steps', { service: 'tests', phases: ['one', 'two', 'three', 'four'] })
    const id = await place.enqueue(steps)
    const seen: number[] = []
    const look = async (): Promise<void> => {
      await place.runtime.advance(1_100)
      seen.push((await place.job(id)).progress)
    }
    const gates = [0, 1, 2, 3].map(() => Promise.withResolvers<void>())
    const run =
      (index: number) =>
      async ({ progress }: { readonly progress: (percent: number) => void }): Promise<void> => {
        progress(50 - 10 * index)
        await gates[index]?.promise
      }
    await place.start([
      handle(steps).phase('one', run(0)).phase('two', run(1)).phase('three', run(2)).phase('four', run(3)),
    ])
    for (const { resolve } of gates) {
      await look()
      resolve()
    }
    await look()
    assert.deepEqual(seen, [12.5, 35, 57.5, 80, 100])
  })

  test('that was held back is in the store when the attempt fails', async (context) => {
    const place = await openWorkplace(context)
    const id = await place.enqueue(draw)
    const worker = await place.start([
      handle(draw, ({ progress }) => {
        progress(10)
        progress(60)
        throw new Error('out of paint')
      }),
    ])
    await worker.idle()
    assert.equal((await place.job(id)).progress, 60)
  })

  for (const percent of [-1, 100.5, Number.NaN, Number.POSITIVE_INFINITY, '50' as unknown as number]) {
    test(`of ${percent} is refused`, async (context) => {
      const place = await openWorkplace(context)
      const { context: handler } = await openHandler(place)
      assert.throws(() => handler.progress(percent), InvalidInputError)
    })
  }

  test('with a context that is no JSON, or too much of it, is refused', async (context) => {
    const place = await openWorkplace(context)
    const { context: handler } = await openHandler(place)
    assert.throws(() => handler.progress(1, new Date() as unknown as string), { code: 'json-invalid' })
    assert.throws(() => handler.progress(1, 'x'.repeat(20_000)), { code: 'too-large' })
  })

  test('that the store does not take is warned of once, and the handler goes on', async (context) => {
    const place = await openWorkplace(context)
    const { id, context: handler, end } = await openHandler(place)
    place.faults.apply = ({ plan }) => (plan.name.startsWith('progress') ? new Error('busy') : undefined)
    for (const percent of [10, 20, 30]) {
      handler.progress(percent)
      await place.runtime.advance(300)
    }
    await end()
    assert.equal((await place.job(id)).state, 'completed')
    assert.equal(
      place.logs.filter(({ message }) => message.startsWith('The store did not take the progress')).length,
      1,
    )
  })
})

describe('the log of a job', () => {
  test('keeps lines with their level and fields, in their order', async (context) => {
    const place = await openWorkplace(context)
    const { id, context: handler, end } = await openHandler(place)
    handler.log.info('started', { tiles: 4 })
    handler.log.warn('slow')
    handler.log.error('failed', { at: { x: 1 } })
    await end()
    assert.deepEqual(await details(place, id, 'job:log'), [
      { level: 'info', message: 'started', fields: { tiles: 4 } },
      { level: 'warn', message: 'slow' },
      { level: 'error', message: 'failed', fields: { at: { x: 1 } } },
    ])
  })

  test('leaves out fields that it cannot keep, and cuts long lines', async (context) => {
    const place = await openWorkplace(context)
    const { id, context: handler, end } = await openHandler(place)
    handler.log.info('with a map', { map: new Map() })
    handler.log.info('y'.repeat(5_000))
    handler.log.info(undefined as unknown as string)
    await end()
    const [first, second, third] = (await details(place, id, 'job:log')) as { message: string; fields?: object }[]
    assert.match(JSON.stringify(first?.fields), /leftOut.*fields\.map/)
    assert.equal(second?.message.length, 4_000)
    assert.equal(third?.message, '')
  })

  test('drops lines that come faster than they can be written, and warns of it once', async (context) => {
    const place = await openWorkplace(context)
    const { context: handler, end } = await openHandler(place)
    for (let line = 0; line < 1_500; line += 1) handler.log.info(`line ${line}`)
    await end()
    assert.equal(place.calls.filter(({ plan }) => plan.name === 'log').length, 1_000)
    assert.equal(place.logs.filter(({ message }) => message.startsWith('A handler logs faster')).length, 1)
  })
})
