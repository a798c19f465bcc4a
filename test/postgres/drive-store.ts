/** Drives every operation of a store, each in all its ways, so that whatever it says to its database has been said once. */
import type { Claim } from '../../src/core/job-row.ts'
import type { Plan, PlanValues } from '../../src/core/plan.ts'
import * as plans from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Scope } from '../../src/core/scope.ts'
import { JOB_STATES } from '../../src/core/states.ts'
import { BELONGINGS } from '../../src/store/integrity.ts'
import type { NewJob } from '../../src/store/jobs.ts'
import { LEASE_MS, ONE_PHASE, THREE_PHASES } from '../support/contract-bench.ts'
import type { Act, Bench } from '../support/contract-bench.ts'

const LONG = JSON.stringify('x'.repeat(1_000))
const SCOPES: readonly Scope[] = [
  OPERATOR,
  { role: 'admin', tenant: 'tenant3' },
  { role: 'member', tenant: 'tenant3', user: 'user3' },
]
const TYPE = 't3'
/** So many that each kind of call is carried out by its statements for lists. */
const ALIKE = 12
const BUNDLED = 20

function ownJob(changes: Partial<NewJob> = {}): Partial<NewJob> {
  const labels = { course: 'c1', level: 'a' }
  return { type: TYPE, queue: 'q', tenant: 'tenant3', owner: 'user3', labels, ...changes }
}

export async function driveStore(bench: Bench): Promise<void> {
  await driveEnqueues(bench)
  await drivePlans(bench)
  await driveLists(bench)
  await driveDeletion(bench)
  await driveRecovery(bench)
  await driveReads(bench)
}

async function driveEnqueues(bench: Bench): Promise<void> {
  const { store } = bench
  const add = (...jobs: readonly Partial<NewJob>[]): Promise<unknown> =>
    store.jobs.enqueue(jobs.map((changes) => bench.job(ownJob(changes))))
  await store.queues.pause('q', 'ann')
  await store.queues.resume('q', 'ann')
  await add({ labels: {} }, { labels: {} })
  await add({ key: 'k', uniqueKey: 'u', input: LONG }, { delayMs: 1_000 })
  await add({ key: 'k', input: LONG }, { uniqueKey: 'u', key: 'other' })
  const own = [{ type: TYPE, queue: 'q', policy: ONE_PHASE }]
  await store.jobTypes.register('workers', own)
  await store.jobTypes.register('others', own)
  for (const [from, to] of [
    ['workers', 'others'],
    ['others', 'workers'],
  ] as const) {
    await store.jobTypes.transfer({ type: TYPE, from, to, actor: 'ann', reason: null })
  }
  await add({})
  await driveBundles(bench)
}

/** One of its jobs has been cancelled. */
async function driveBundles(bench: Bench): Promise<void> {
  const jobs = Array.from({ length: BUNDLED }, () => bench.job({ type: 'bundled' }))
  await bench.store.jobs.enqueue(jobs)
  await bench.act(plans.CANCEL, jobs[0]?.id ?? '')
  await bench.claim(await bench.session(), BUNDLED, ['bundled'])
}

async function runningOne(bench: Bench, holder: number, changes: Partial<NewJob> = {}): Promise<Claim> {
  const { type = 'driven' } = changes
  await bench.add(ownJob({ ...changes, type }))
  const { claim } = await bench.take(holder, [type])
  return claim
}

async function drivePlans(bench: Bench): Promise<void> {
  const holder = await bench.session()
  const values = { holder, delayMs: 0, timeoutMs: 1, phase: 0, progress: 1, seenGeneration: 1, seenFence: 1 }
  const act = (plan: Plan, target: Claim | string, given: PlanValues = values, rest: Act = {}): Promise<unknown> =>
    bench.act(plan, target, given, rest)
  for (const plan of plans.PLANS) {
    const type = `driven-${plan.name}`
    const claim = await runningOne(bench, holder, { type })
    for (const scope of SCOPES) await act(plan, claim.jobId, values, { scope })
    await act(plan, claim)
  }
  const phased = await runningOne(bench, holder, { policy: THREE_PHASES, type: 'phased' })
  await act(plans.ADOPT_PHASES, phased, { phase: 0, phaseCount: 2 }, { phaseNames: ['a', 'b'] })
  await act(plans.CHECKPOINT, phased, { progress: 1 }, { result: '1' })
  await act(plans.ARTIFACT, phased, {}, { artifact: bench.artifact() })
  await act(plans.RELEASE, phased)
  const { claim: again } = await bench.take(holder, ['phased'])
  await act(plans.FAIL_FINAL, again)
  await act(plans.RETRY, again.jobId, { phase: 1, seenGeneration: 1, seenFence: again.fence })
  const forced = await runningOne(bench, holder, { type: 'forced' })
  const audit = { id: bench.runtime.uuid(), actor: 'ann', reason: null, detail: null }
  await act(plans.FORCE_FAIL, forced.jobId, {}, { audit })
  const byHand = await bench.byHand(await bench.add(ownJob({ type: 'by-hand' })))
  await act(plans.PROGRESS, byHand, values, { byHand: { lockMs: null } })
  await bench.takeByHand(byHand.jobId)
  await act(plans.FAIL_FINAL, byHand, values, { byHand: { lockMs: null } })
  const completed = await runningOne(bench, holder, { type: 'completed', uniqueKey: 'renewed' })
  await act(plans.COMPLETE_ONLY_PHASE, completed, { output: LONG })
  await act(plans.RETRY, completed.jobId, { phase: 0, seenGeneration: 1, seenFence: 1 }, { input: LONG })
}

/** As many jobs, claimed at once, for every plan that a holder may carry out. */
async function driveLists(bench: Bench): Promise<void> {
  const holder = await bench.session()
  const values = { delayMs: 0, timeoutMs: 1, phase: 0, progress: 1 }
  for (const plan of plans.PLANS) {
    for (const rest of [{}, { detail: '{}' }, ...(plan === plans.CHECKPOINT ? [{ result: '1' }] : [])]) {
      const jobs = Array.from({ length: ALIKE }, () => bench.job(ownJob({ type: 'listed', policy: THREE_PHASES })))
      await bench.store.jobs.enqueue(jobs)
      const claimed = await bench.claim(holder, ALIKE, ['listed'])
      await Promise.all(claimed.map(({ claim }) => bench.act(plan, claim, values, rest)))
    }
  }
  await bench.store.jobs.enqueue(Array.from({ length: ALIKE }, () => bench.job(ownJob({ type: 'listed' }))))
  const unlike = await bench.claim(holder, ALIKE, ['listed'])
  await Promise.all(
    unlike.map(({ claim }, index) => bench.act(plans.COMPLETE_ONLY_PHASE, claim, { output: String(index) })),
  )
}

async function driveRecovery(bench: Bench): Promise<void> {
  const { store } = bench
  const holder = await bench.session()
  const overdue = await runningOne(bench, holder, { type: 'overdue' })
  await bench.act(plans.EXTEND, overdue, { timeoutMs: -100_000 })
  const cancelled = await runningOne(bench, holder, { type: 'cancelled' })
  await bench.act(plans.CANCEL, cancelled.jobId, { actor: 'ann', reason: null })
  await bench.sweep()
  await store.claims.interruptions([overdue, cancelled])
  // Those that a session leaves behind are suspects, of which one is claimed at a time.
  await bench.add(ownJob({ type: 'left' }))
  await bench.add(ownJob({ type: 'left' }))
  await bench.claim(holder, 2, ['left'])
  await store.sessions.abandon(holder)
  bench.advance(LEASE_MS)
  await store.sessions.ofProcesses({ bootId: 'b', namespaces: 'n', host: 'h' })
  await bench.sweep(0, 0, [{ holder, pid: 1, startTick: 1 }])
  const next = await bench.session()
  await bench.claim(next, 2, ['left'])
  await bench.add(ownJob({ type: 'left', delayMs: 10 }))
  bench.advance(10)
  await bench.claim(next, 2, ['left', TYPE])
  await store.sessions.end(next)
}

const FILTERS = [
  {},
  { type: TYPE },
  { queue: 'q' },
  { tenant: 'tenant3' },
  { tenant: '' },
  { tenant: 'tenant3', owner: 'user3' },
  { labels: { course: 'c1' } },
  { labels: { course: 'c1', level: 'a' } },
  ...JOB_STATES.map((state) => ({ states: [state] })),
  { states: ['completed', 'failed', 'cancelled'] as const },
]

async function driveReads({ store, runtime }: Bench): Promise<void> {
  const {
    jobs: [known],
    next,
  } = await store.jobs.list({ scope: OPERATOR, limit: 1, after: null })
  const id = known?.id ?? ''
  const artifact = runtime.uuid()
  for (const scope of SCOPES) {
    await store.jobs.get(id, scope)
    for (const filter of FILTERS) {
      for (const after of [null, next]) await store.jobs.list({ ...filter, scope, limit: 10, after })
      await store.jobs.counts({ ...filter, scope })
    }
    for (const jobId of [null, id]) await store.events.read({ scope, after: 10, limit: 10, jobId })
    for (const jobId of [null, id]) await store.audit.list({ scope, after: null, limit: 10, jobId })
    await store.artifacts.list(id, scope)
    await store.artifacts.get(artifact, scope)
  }
  await store.jobs.states([id])
  await driveIntegrity(store, id)
  await store.sessions.list()
  await store.sessions.holder(1)
  await store.jobTypes.list()
  await store.queues.list()
  await store.jobTypes.refusals()
  await store.jobTypes.evidence({ endedLimit: 10, entityLimit: 10 })
  await store.jobTypes.noteEntities([
    { jobId: '019b7613-6800-7000-8000-00000000dead', status: null },
    { jobId: '019b7613-6800-7000-8000-00000000dead', status: 'PROCESSING' },
  ])
  await store.events.latest()
  await store.now()
}

async function driveIntegrity({ integrity, retention }: Bench['store'], id: string): Promise<void> {
  for (const from of ['oldest', 'newest'] as const) {
    await retention.finished({ type: 'map.export', state: 'completed', from, until: null, limit: 10, after: null })
  }
  await retention.artifactPaths([id])
  await integrity.audit({ after: null, limit: 10 })
  await integrity.auditOne(id, OPERATOR)
  for (const belonging of BELONGINGS) {
    await integrity.strays(belonging, { after: null, limit: 10 })
    await integrity.dropStrays(belonging, [belonging === 'key' ? '["",1,"k"]' : id])
  }
  await integrity.artifacts({ after: null, limit: 10 })
}

async function driveDeletion(bench: Bench): Promise<void> {
  const { store } = bench
  const holder = await bench.session()
  const { jobId, ...claim } = await runningOne(bench, holder, { type: 'over', key: 'over' })
  await bench.act(plans.ARTIFACT, { jobId, ...claim }, {}, { artifact: bench.artifact() })
  await bench.act(plans.COMPLETE_ONLY_PHASE, { jobId, ...claim }, { output: LONG })
  const { finishedAt } = await bench.details(jobId)
  await store.retention.purge([{ id: jobId, finishedAt: finishedAt ?? 0 }])
  await store.retention.sweepUp({ eventsMs: 0, sessionsMs: 0, limit: 1 })
  await store.cleanupTurns.begin({ key: 1, isWhole: true, apartMs: 0, leaseMs: 1_000 })
  await store.cleanupTurns.keep(1, 1_000)
  await store.cleanupTurns.end(1, null)
  await store.cleanupTurns.latest()
}
