import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineJob } from '../../src/client/define-job.ts'
import type { EntityStatus } from '../../src/core/entity-status.ts'
import { InvalidInputError } from '../../src/core/errors.ts'
import { handle } from '../../src/worker/handler.ts'
import type { Handler, Isolation } from '../../src/worker/handler.ts'
import type { StartWorkerOptions } from '../../src/worker/start-worker.ts'
import { openWorkplace } from './open-workplace.ts'

const ping = defineJob('ping', { service: 'tests', queue: 'pings', timeout: '1m' })
const book = defineJob('book', { service: 'tests', phases: ['open', 'parse', 'index'] })
const pingHandler = handle(ping, () => null)

describe('starting a worker', () => {
  test('registers its types with their policies, and opens a session', async (context) => {
    const { store, start } = await openWorkplace(context)
    const worker = await start([pingHandler], { concurrency: 3, lease: '20s' })
    assert.deepEqual([worker.service, worker.types, worker.state], ['tests', ['ping'], 'running'])
    const [type] = await store.jobTypes.list()
    assert.deepEqual(
      [type?.type, type?.service, type?.queue, type?.policy.timeoutMs],
      ['ping', 'tests', 'pings', 60_000],
    )
    const [session] = await store.sessions.list()
    assert(session !== undefined)
    const { service, pid, concurrency, startedAt, expiresAt, host } = session
    assert.deepEqual({ service, pid, concurrency }, { service: 'tests', pid: process.pid, concurrency: 3 })
    assert.equal(expiresAt - startedAt, 20_000)
    assert.notEqual(host, '')
    assert.deepEqual([session.types, session.epoch, session.version], [['ping'], 1, null])
  })

  test('is refused where another service owns a type, and nothing is started', async (context) => {
    const { store, start, enqueue, job } = await openWorkplace(context)
    const theirs = defineJob('pong', { service: 'others' })
    const owner = await start([handle(theirs, () => null)], { service: 'others', manual: true })
    const stolen = defineJob('pong', { service: 'tests' })
    await assert.rejects(start([pingHandler, handle(stolen, () => null)]), {
      code: 'owner-conflict',
      details: {
        type: 'pong',
        owner: 'others',
        service: 'tests',
        command: 'millrace owners transfer pong --from others --to tests',
      },
      message:
        /service "others"[^]*^ {2}millrace owners transfer pong --from others --to tests$[^]*open Millrace as service "others"/m,
    })
    assert.deepEqual(
      (await store.jobTypes.list()).map(({ type, service }) => [type, service]),
      [['pong', 'others']],
    )
    assert.equal((await store.sessions.list()).length, 1)
    const id = await enqueue(theirs)
    assert.equal((await job(id)).state, 'queued')
    await owner.stop()
  })

  test('is refused for a definition of another service', async (context) => {
    const { start, store } = await openWorkplace(context)
    const theirs = defineJob('pong', { service: 'others' })
    await assert.rejects(start([handle(theirs, () => null)]), { code: 'owner-conflict' })
    assert.deepEqual(await store.jobTypes.list(), [])
  })

  test('is refused with a handler that lacks phases, by name', async (context) => {
    const { start, store } = await openWorkplace(context)
    const half = handle(book).phase('open', () => null) as unknown as Handler
    await assert.rejects(start([pingHandler, half]), {
      code: 'handler-incomplete',
      message: /book has no function for parse, index/,
      details: { type: 'book', missing: ['parse', 'index'] },
    })
    assert.deepEqual(await store.jobTypes.list(), [])
  })

  for (const [what, options, handlers] of [
    ['no handler', {}, []],
    ['two handlers of one type', {}, [pingHandler, handle(ping, () => null)]],
    ['a concurrency of nothing', { concurrency: 0 }, [pingHandler]],
    ['half a slot', { concurrency: 1.5 }, [pingHandler]],
    ['more slots than there may be', { concurrency: 10_001 }, [pingHandler]],
    ['a lease that no beat can keep', { lease: '50ms' }, [pingHandler]],
    ['a drain that is no duration', { drain: 'soon' as '1s' }, [pingHandler]],
    ['fewer abandoned slots than none', { maxAbandonedSlots: -1 }, [pingHandler]],
  ] as readonly (readonly [string, Partial<StartWorkerOptions>, readonly Handler[]])[]) {
    test(`is refused with ${what}`, async (context) => {
      const { start, store } = await openWorkplace(context)
      await assert.rejects(start(handlers, options), InvalidInputError)
      assert.deepEqual(await store.jobTypes.list(), [])
      assert.deepEqual(await store.sessions.list(), [])
    })
  }

  test('of the same service again lets the newest policy count, for jobs that wait already too', async (context) => {
    const { start, enqueue, job, runtime } = await openWorkplace(context)
    const first = await start([pingHandler])
    await first.stop()
    const id = await enqueue(ping)
    const newer = defineJob('ping', { service: 'tests', queue: 'pings', retry: { maxAttempts: 1 } })
    await start([
      handle(newer, () => {
        throw new Error('no luck')
      }),
    ])
    await runtime.advance(0)
    assert.equal((await job(id)).state, 'failed')
  })
})

describe('a handler', () => {
  test('takes its phases in the order of the definition only', () => {
    const builder = handle(book) as unknown as { phase: (name: string, run: unknown) => typeof builder }
    assert.throws(() => builder.phase('parse', () => null), { path: 'the handler of book: phase', message: /"open"/ })
    const opened = builder.phase('open', () => null)
    assert.throws(() => opened.phase('open', () => null), /"parse"/)
    assert.throws(() => opened.phase('parse', 'no function'), /expected a function, got string/)
    const complete = opened.phase('parse', () => null).phase('index', () => null)
    assert.throws(() => complete.phase('index', () => null), /no further phase/)
  })

  test('is not changed by the phases that are added to it', () => {
    const empty = handle(book)
    const opened = empty.phase('open', () => 1)
    const one = opened.phase('parse', () => 2)
    const other = opened.phase('parse', () => 3)
    assert.deepEqual(empty.missing, ['open', 'parse', 'index'])
    assert.deepEqual(opened.missing, ['parse', 'index'])
    assert.notEqual(one.functions.get('parse'), other.functions.get('parse'))
    assert(Object.isFrozen(one))
  })

  test('of several phases is no single function', () => {
    assert.throws(() => handle(book as never, (() => null) as never), InvalidInputError)
  })

  test('asks how an entity stands as its definition does, unless it knows better itself', () => {
    const ofType = (): EntityStatus => ({ final: true, status: 'READY' })
    const own = (): EntityStatus => ({ final: false, status: 'PROCESSING' })
    const read = defineJob('book.read', { service: 'workers', entityStatus: ofType })
    assert.equal(handle(read, () => null).entityStatus, ofType)
    assert.equal(handle(read, { entityStatus: own }).entityStatus, own)
    assert.equal(handle(book, {}).entityStatus, null)
  })

  test('cannot have an isolation that there is not, and the error says what to use', () => {
    assert.throws(() => handle(book, { module: import.meta.url, isolation: 'container' as Isolation }), {
      code: 'isolation-unavailable',
      message: /Use 'inline', 'thread' or 'process'/,
    })
  })

  test('keeps the module it was made in', () => {
    const { module, isolation } = handle(book, { module: import.meta.url, isolation: 'inline' })
    assert.deepEqual({ module, isolation }, { module: import.meta.url, isolation: 'inline' })
    assert.equal(pingHandler.module, null)
  })
})
