import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import type { ProcessMark, ProcessSight } from '../../src/core/process-death.ts'
import { defineJob } from '../../src/client/define-job.ts'
import { Reaper } from '../../src/maintenance/reaper.ts'
import type { ReaperReport } from '../../src/maintenance/reaper.ts'
import { handle } from '../../src/worker/handler.ts'
import { openWorkplace } from '../worker/open-workplace.ts'
import type { Workplace } from '../worker/open-workplace.ts'

const render = defineJob('render', { service: 'tests', timeout: '1m', cancelGrace: '5s' })

interface Graveyard extends Workplace {
  readonly reaper: Reaper
  /** A job whose worker has died with it. */
  readonly orphan: string
}

async function openGraveyard(context: TestContext): Promise<Graveyard> {
  const place = await openWorkplace(context)
  const { store, runtime } = place
  const logger = {
    info: () => {},
    warn: (message: string) => void place.logs.push({ level: 'warn', message, fields: {} }),
    error: () => {},
  }
  const orphan = await place.enqueue(render)
  await store.jobTypes.register('tests', [{ type: 'render', queue: 'render', policy: render.policy }])
  const session = { service: 'tests', host: 'elsewhere', pid: 1, leaseMs: 30_000, concurrency: 1 }
  await store.sessions.open({ ...session, holder: 7 }, () => {})
  const { jobs } = await store.claims.claim({ holder: 7, types: ['render'], limit: 1 })
  assert.equal(jobs.length, 1)
  await store.sessions.abandon(7)
  const service = new Reaper({ store, runtime, logger })
  context.after(() => service.stop())
  return { ...place, reaper: service, orphan }
}

test('the jobs of a dead worker are taken back within its lease and one sweep, and another worker goes on', async (context) => {
  const { reaper: service, runtime, orphan, job, start, logs } = await openGraveyard(context)
  service.start()
  await start([handle(render, () => 'rendered')])
  await runtime.advance(29_000)
  assert.equal((await job(orphan)).state, 'running')
  await runtime.advance(7_000)
  const { state, attempts } = await job(orphan)
  assert.equal(state, 'completed')
  assert.equal(attempts[0]?.outcome, 'lost')
  assert.equal(logs.filter(({ message }) => message.startsWith('Workers died')).length, 1)
})

test('a reaper that was not on time does nothing for one lease', async (context) => {
  const { store, runtime, orphan, job } = await openGraveyard(context)
  // The machine slept: its clock went on by an hour, and no timer fired.
  let sleptMs = 0
  const asleep = { ...runtime, now: () => runtime.now() + sleptMs, after: runtime.after.bind(runtime) }
  const lines: string[] = []
  const logger = { info: (message: string) => void lines.push(message), warn: () => {}, error: () => {} }
  const reports: ReaperReport[] = []
  const watched = { ...store, claims: { ...store.claims } }
  const service = new Reaper({ store: watched, runtime: asleep, logger })
  watched.claims.sweep = async (options) => {
    const report = await store.claims.sweep(options)
    reports.push({ ...report, held: false })
    return report
  }
  context.after(() => service.stop())
  service.start()
  await runtime.advance(20_000)
  const sweptBefore = reports.length
  assert(sweptBefore >= 3)
  sleptMs = 3_600_000
  await runtime.advance(29_000)
  assert.equal(reports.length, sweptBefore)
  assert.equal((await job(orphan)).state, 'running')
  await runtime.advance(15_000)
  assert(reports.length > sweptBefore)
  assert.deepEqual(lines, ['The reaper does not trust its clock; it waits for the sessions to beat again.'])
  assert.equal((await job(orphan)).state, 'queued')
})

test('a sweep that somebody asks for is made in any case, and reports what it did', async (context) => {
  const { reaper: service, runtime, orphan, job } = await openGraveyard(context)
  assert.equal((await service.runOnce()).jobsReaped, 0)
  await runtime.advance(3_600_000)
  const { held, sessionsEnded, jobsReaped } = await service.runOnce()
  assert.deepEqual({ held, sessionsEnded, jobsReaped }, { held: false, sessionsEnded: 1, jobsReaped: 1 })
  assert.equal((await job(orphan)).state, 'queued')
})

test('an attempt that is overdue is ended although its worker beats on', async (context) => {
  const { reaper: service, store, runtime, enqueue, job } = await openGraveyard(context)
  const session = { service: 'tests', host: 'here', pid: 2, leaseMs: 600_000, concurrency: 1 }
  await store.sessions.open({ ...session, holder: 8 }, () => {})
  const id = await enqueue(render)
  const { jobs } = await store.claims.claim({ holder: 8, types: ['render'], limit: 1 })
  assert.equal(jobs[0]?.claim.jobId, id)
  service.start()
  await runtime.advance(60_000 + 5_000)
  assert.equal((await job(id)).state, 'running')
  await runtime.advance(2_000 + 6_000)
  assert.equal((await job(id)).attempts[0]?.outcome, 'timed-out')
})

describe('a worker whose process looks dead', () => {
  const own: ProcessMark = { bootId: 'boot-1', namespaces: 'pid:[1] time:[1]', startTick: 1 }
  const theirs: ProcessMark = { ...own, startTick: 500 }

  interface Look {
    /** Of the worker. */
    readonly mark?: ProcessMark
    readonly host?: string
    /** Of the reaper. */
    readonly own?: ProcessMark | null
    readonly sight: ProcessSight
  }

  async function jobsReaped(context: TestContext, look: Look): Promise<number> {
    const { store, runtime, enqueue } = await openGraveyard(context)
    const { mark, host = hostname(), sight } = look
    const identity = { service: 'tests', host, pid: 4_711, leaseMs: 30_000, concurrency: 1 }
    const process = mark === undefined ? {} : { process: mark }
    await store.sessions.open({ ...identity, ...process, holder: 8 }, () => {})
    await enqueue(render)
    assert.equal((await store.claims.claim({ holder: 8, types: ['render'], limit: 1 })).jobs.length, 1)
    const logger = { info: () => {}, warn: () => {}, error: () => {} }
    const processes = { own: look.own === undefined ? own : look.own, see: () => sight }
    const service = new Reaper({ store, runtime, logger, processes })
    return (await service.runOnce()).jobsReaped
  }

  for (const [what, look, expected] of [
    ['has lost its jobs at once', { mark: theirs, sight: 'nobody' }, 1],
    ['and whose pid another has', { mark: theirs, sight: { state: 'S', threads: 1, startTick: 501 } }, 1],
    ['keeps them while the process is stopped', { mark: theirs, sight: { state: 'T', threads: 1, startTick: 500 } }, 0],
    ['keeps them in another container', { mark: { ...theirs, namespaces: 'pid:[2]' }, sight: 'nobody' }, 0],
    ['keeps them on another machine', { mark: { ...theirs, bootId: 'boot-2' }, sight: 'nobody' }, 0],
    ['keeps them under another host name', { mark: theirs, host: 'elsewhere', sight: 'nobody' }, 0],
    ['keeps them where it told nothing of its process', { sight: 'nobody' }, 0],
    ['keeps them where the reaper cannot tell where it is', { mark: theirs, own: null, sight: 'nobody' }, 0],
  ] as const satisfies readonly (readonly [string, Look, number])[]) {
    test(what, async (context) => {
      assert.equal(await jobsReaped(context, look), expected)
    })
  }
})
