import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { defineJob } from '../../src/client/define-job.ts'
import { handle } from '../../src/worker/handler.ts'
import { openWorkplace } from './open-workplace.ts'

const add = defineJob('numbers.add', {
  service: 'tests',
  input: z.object({ left: z.number(), right: z.coerce.number() }),
  output: z.object({ sum: z.number() }),
  retry: { maxAttempts: 3 },
})

const book = defineJob('book.read', { service: 'tests', phases: ['open', 'parse', 'index'] })

describe('a job of one phase', () => {
  test('is completed with what its handler returns', async (context) => {
    const { enqueue, start, job, eventNames } = await openWorkplace(context)
    const id = await enqueue(add, { left: 1, right: '2' })
    const worker = await start([handle(add, ({ input }) => ({ sum: input.left + input.right }))])
    await worker.idle()
    const { state, output, progress } = await job(id)
    assert.deepEqual({ state, output, progress }, { state: 'completed', output: '{"sum":3}', progress: 100 })
    assert.deepEqual(await eventNames(id), ['job:queued', 'job:started', 'job:completed'])
  })

  test('is completed with null where its handler returns nothing', async (context) => {
    const { enqueue, start, job } = await openWorkplace(context)
    const quiet = defineJob('quiet', { service: 'tests' })
    const id = await enqueue(quiet)
    const worker = await start([handle(quiet, async () => {})])
    await worker.idle()
    assert.equal((await job(id)).output, 'null')
  })

  test('fails for good, without its handler, when its schema refuses the stored input', async (context) => {
    const { enqueue, start, job } = await openWorkplace(context)
    const id = await enqueue(add, { left: 'one', right: 2 })
    let ran = false
    const worker = await start([
      handle(add, () => {
        ran = true
        return { sum: 0 }
      }),
    ])
    await worker.idle()
    const { state, attempts } = await job(id)
    assert.equal(state, 'failed')
    assert.equal(ran, false)
    const error = JSON.parse(attempts[0]?.error ?? '') as { code: string; verdict: { fatal: boolean }; message: string }
    assert.equal(error.code, 'input-outdated')
    assert.equal(error.verdict.fatal, true)
    assert.match(error.message, /input\.left/)
  })

  test('fails for good when the schema refuses the output', async (context) => {
    const { enqueue, start, job } = await openWorkplace(context)
    const id = await enqueue(add, { left: 1, right: 2 })
    const wrong = { sum: 'three' } as unknown as { sum: number }
    const worker = await start([handle(add, () => wrong)])
    await worker.idle()
    const { state, attempts, output } = await job(id)
    assert.deepEqual({ state, output }, { state: 'failed', output: null })
    assert.match(attempts[0]?.error ?? '', /"code":"output-invalid"/)
  })

  for (const [what, value, code] of [
    ['a date', { at: new Date(0) }, 'json-invalid'],
    ['bytes', new Uint8Array(3), 'json-invalid'],
    ['more than 256 KB', 'x'.repeat(300_000), 'too-large'],
  ] as const) {
    test(`fails for good when its handler returns ${what}`, async (context) => {
      const { enqueue, start, job } = await openWorkplace(context)
      const loose = defineJob('loose', { service: 'tests' })
      const id = await enqueue(loose)
      const worker = await start([handle(loose, () => value as unknown as string)])
      await worker.idle()
      const { state, attempts } = await job(id)
      assert.equal(state, 'failed')
      assert.match(attempts[0]?.error ?? '', new RegExp(`"code":"${code}"`))
    })
  }
})

describe('a job of several phases', () => {
  test('hands the result of each phase to the later ones, and its last result is the output', async (context) => {
    const { enqueue, start, job, eventNames } = await openWorkplace(context)
    const id = await enqueue(book, { file: 'a.epub' })
    const seen: unknown[] = []
    const worker = await start([
      handle(book)
        .phase('open', () => ({ chapters: 2 }))
        .phase('parse', ({ results }) => {
          seen.push({ ...results })
          return ['one', 'two'].slice(0, results.open.chapters)
        })
        .phase('index', ({ results, phase }) => {
          seen.push({ ...results })
          return { phase, words: results.parse.length }
        }),
    ])
    await worker.idle()
    const { state, output, phases } = await job(id)
    assert.deepEqual({ state, output }, { state: 'completed', output: '{"phase":"index","words":2}' })
    assert.deepEqual(seen, [{ open: { chapters: 2 } }, { open: { chapters: 2 }, parse: ['one', 'two'] }])
    assert.deepEqual(
      phases.map(({ name, state: phaseState }) => [name, phaseState]),
      [
        ['open', 'done'],
        ['parse', 'done'],
        ['index', 'done'],
      ],
    )
    assert.deepEqual(await eventNames(id), [
      'job:queued',
      'job:started',
      'phase:completed',
      'phase:completed',
      'phase:completed',
      'job:completed',
    ])
  })

  test('hands out copies, so that what one phase changes in a result the next one does not see', async (context) => {
    const { enqueue, start, job } = await openWorkplace(context)
    const id = await enqueue(book, { pages: [1] })
    const worker = await start([
      handle(book)
        .phase('open', ({ input }) => {
          ;(input as { pages: number[] }).pages.push(2)
          return { list: [1], at: undefined as string | undefined }
        })
        .phase('parse', ({ results }) => {
          results.open.list.push(2)
          assert.deepEqual(results.open.list, [1, 2])
          return null
        })
        .phase('index', ({ input, results }) => ({ input: input as object, open: results.open })),
    ])
    await worker.idle()
    assert.equal((await job(id)).output, '{"input":{"pages":[1]},"open":{"list":[1]}}')
  })

  test('goes on at the phase that failed, with the results before it', async (context) => {
    const { enqueue, start, job, runtime } = await openWorkplace(context)
    const id = await enqueue(book)
    const ran: string[] = []
    const worker = await start([
      handle(book)
        .phase('open', () => {
          ran.push('open')
          return 7
        })
        .phase('parse', ({ results, attempt }) => {
          ran.push('parse')
          if (attempt === 1) throw new Error('the disk hiccuped')
          return results.open + 1
        })
        .phase('index', ({ results }) => results.parse),
    ])
    await worker.idle()
    const failed = await job(id)
    assert.deepEqual([failed.state, failed.phase, Math.round(failed.progress)], ['retrying', 1, 33])
    await runtime.advance(2_000)
    await worker.idle()
    const { state, output } = await job(id)
    assert.deepEqual({ state, output }, { state: 'completed', output: '8' })
    assert.deepEqual(ran, ['open', 'parse', 'parse'])
  })

  test('is only completed where all its phases were done before', async (context) => {
    const { store, enqueue, start, job, faults, runtime } = await openWorkplace(context)
    const id = await enqueue(book)
    let ran = 0
    const count = (): number => (ran += 1)
    const handler = handle(book).phase('open', count).phase('parse', count).phase('index', count)
    faults.apply = ({ plan }) => (plan.name === 'complete' ? new Error('the disk is full') : undefined)
    const first = await start([handler])
    await runtime.advance(100)
    assert.equal((await job(id)).phase, 3)
    const stopping = assert.rejects(first.stop({ timeout: '1s' }), { code: 'drain-timeout' })
    await runtime.advance(5_000)
    await stopping
    delete faults.apply
    await store.claims.sweep({ graceMs: 0, random: 0 })
    const second = await start([handler])
    await second.idle()
    const { state, output } = await job(id)
    assert.deepEqual({ state, output, ran }, { state: 'completed', output: '3', ran: 3 })
  })
})

describe('a job made with another list of phases', () => {
  const before = defineJob('book.read', { service: 'tests', phases: ['open', 'parse'] })

  test('goes on with the phases of the handler, the done ones kept by name', async (context) => {
    const { enqueue, start, job, runtime } = await openWorkplace(context)
    const id = await enqueue(before)
    const old = await start([
      handle(before)
        .phase('open', () => 1)
        .phase('parse', () => {
          throw new Error('not today')
        }),
    ])
    await old.idle()
    await old.stop()
    await runtime.advance(2_000)
    const worker = await start([
      handle(book)
        .phase('open', () => 100)
        .phase('parse', ({ results }) => results.open + 1)
        .phase('index', ({ results }) => [results.open, results.parse]),
    ])
    await worker.idle()
    const { state, output, phaseNames } = await job(id)
    assert.deepEqual(
      { state, output, phaseNames },
      { state: 'completed', output: '[1,2]', phaseNames: ['open', 'parse', 'index'] },
    )
  })

  test('fails as changed where a new phase comes before one that is done', async (context) => {
    const { enqueue, start, job, runtime } = await openWorkplace(context)
    const id = await enqueue(before)
    const old = await start([
      handle(before)
        .phase('open', () => 1)
        .phase('parse', () => {
          throw new Error('not today')
        }),
    ])
    await old.idle()
    await old.stop()
    await runtime.advance(2_000)
    const changed = defineJob('book.read', { service: 'tests', phases: ['fetch', 'open', 'parse'] })
    const worker = await start([
      handle(changed)
        .phase('fetch', () => 0)
        .phase('open', () => 1)
        .phase('parse', () => 2),
    ])
    await worker.idle()
    const { state, attempts } = await job(id)
    assert.equal(state, 'failed')
    assert.match(attempts.at(-1)?.error ?? '', /"code":"phases-changed"/)
  })
})
