/** One opened store with the few moves that every test of the store contract makes. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'

import type { EventName } from '../../src/core/events.ts'
import type { Claim } from '../../src/core/job-row.ts'
import type { Plan, PlanValues } from '../../src/core/plan.ts'
import type { JobPolicy } from '../../src/core/policy.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Scope } from '../../src/core/scope.ts'
import type { ClaimedJob, NewArtifact, PlanCall, PlanResult, SweepReport, Taken } from '../../src/store/claims.ts'
import type { EventRecord } from '../../src/store/events.ts'
import type { JobDetails, NewJob } from '../../src/store/jobs.ts'
import type { NewLock, NewSession, ProcessSession } from '../../src/store/sessions.ts'
import type { Store } from '../../src/store/store.ts'
import { readEvents } from './store-dump.ts'
import type { OpenStore, StoreUnderTest } from './store-under-test.ts'

export const MINUTE = 60_000
/** Longer than any test runs: no beat falls due by itself. */
export const LEASE_MS: number = 30 * MINUTE

export const ONE_PHASE: JobPolicy = {
  phases: ['run'],
  maxAttempts: 3,
  backoff: { kind: 'exponential', baseMs: 1_000, maxMs: 60_000, factor: 2, jitter: 0.5 },
  timeoutMs: null,
  cancelGraceMs: 5_000,
  maxStrikes: 3,
  expect: { minDurationMs: null, output: false },
  lock: { durationMs: 15 * MINUTE, quietMs: 10 * MINUTE, progressed: 'fail' },
}

export const THREE_PHASES: JobPolicy = { ...ONE_PHASE, phases: ['load', 'render', 'store'] }

/** What a sweep says that found nothing to do. */
export const NOTHING_SWEPT: SweepReport = {
  sessionsEnded: 0,
  jobsReaped: 0,
  jobsPoisoned: 0,
  jobsTimedOut: 0,
  jobsCancelled: 0,
  jobsPromoted: 0,
  jobsStuck: 0,
  locksCleared: 0,
}

export type Act = Partial<Omit<PlanCall, 'jobId' | 'plan' | 'claim'>>

export interface Bench extends StoreUnderTest {
  /** Adds one job, of type `map.export` unless said, and answers its id. */
  add(job?: Partial<NewJob>): Promise<string>
  job(job?: Partial<NewJob>): NewJob
  /** Opens a session and answers its key. */
  session(session?: Partial<NewSession>, onLost?: () => void): Promise<number>
  register(policy: JobPolicy, type?: string, service?: string): Promise<void>
  claim(holder: number, limit?: number, types?: readonly string[]): Promise<readonly ClaimedJob[]>
  /** Claims exactly one job. */
  take(holder: number, types?: readonly string[]): Promise<ClaimedJob>
  /** A job that a new session has just claimed. */
  running(job?: Partial<NewJob>): Promise<ClaimedJob>
  /** Takes the job by hand, for ann of the worker's service unless said. */
  takeByHand(id: string, lock?: Partial<NewLock>, scope?: Scope): Promise<Taken>
  /** The same, and it must be had. */
  byHand(id: string): Promise<Claim>
  /** Carries out a plan: on a job as an outsider, or under a claim. */
  act(plan: Plan, target: string | Claim, values?: PlanValues, rest?: Act): Promise<PlanResult>
  /** The same, and it must apply. */
  must(plan: Plan, target: string | Claim, values?: PlanValues, rest?: Act): Promise<PlanResult>
  /** Carries out RETRY or FORCE_RESET, having seen the job as it is; it must apply. */
  renew(plan: Plan, id: string, phase?: number, rest?: Act): Promise<PlanResult>
  details(id: string): Promise<JobDetails>
  events(id: string): Promise<readonly EventRecord[]>
  eventNames(id: string): Promise<readonly EventName[]>
  sweep(graceMs?: number, random?: number, dead?: readonly ProcessSession[]): ReturnType<Store['claims']['sweep']>
  artifact(artifact?: Partial<NewArtifact>): NewArtifact
}

/** Opens a store for one test; it is closed when the test ends. */
export async function openBench(context: TestContext, open: OpenStore): Promise<Bench> {
  const opened = await open()
  context.after(() => opened.close())
  return benchOf(opened)
}

const TYPE = 'map.export'
const TYPES: readonly string[] = [TYPE]

export function benchOf(opened: StoreUnderTest): Bench {
  const { store, runtime } = opened
  const job = (changes: Partial<NewJob> = {}): NewJob => newJob(runtime.uuid(), changes)
  const act: Bench['act'] = (plan, target, values = {}, rest = {}) =>
    store.claims.apply(planCall(plan, target, values, rest))
  const bench: Bench = {
    ...opened,
    job,
    async add(changes) {
      const made = job(changes)
      const [outcome] = await store.jobs.enqueue([made])
      assert.equal(outcome?.outcome, 'created')
      return made.id
    },
    async session(changes = {}, onLost = () => undefined) {
      const holder = runtime.key()
      await store.sessions.open({ ...WORKER, holder, leaseMs: LEASE_MS, concurrency: 10, ...changes }, onLost)
      return changes.holder ?? holder
    },
    async register(policy, type = TYPE, service = WORKER.service) {
      const registered = await store.jobTypes.register(service, [{ type, queue: type, policy }])
      assert.ok(registered.accepted)
    },
    async claim(holder, limit = 10, types = TYPES) {
      const { jobs } = await store.claims.claim({ holder, types, limit })
      return jobs
    },
    async take(holder, types = TYPES) {
      const { jobs } = await store.claims.claim({ holder, types, limit: 1 })
      const [claimed] = jobs
      assert.ok(claimed !== undefined, 'there is a job to claim')
      return claimed
    },
    async running(changes) {
      const id = await bench.add(changes)
      const claimed = await bench.take(await bench.session(), [changes?.type ?? TYPE])
      assert.equal(claimed.claim.jobId, id)
      return claimed
    },
    takeByHand: (jobId, lock = {}, scope = OPERATOR) =>
      store.claims.take({ jobId, scope, lock: { ...WORKER, holder: runtime.key(), by: 'ann', ...lock } }),
    async byHand(id) {
      const taken = await bench.takeByHand(id)
      assert.ok(taken.outcome === 'taken', `the job is taken, not ${taken.outcome}`)
      return taken.claim
    },
    act,
    async must(plan, target, values, rest) {
      const result = await act(plan, target, values, rest)
      assert.ok(result.applied, `${plan.name} was refused: ${result.applied ? '' : result.refusal}`)
      return result
    },
    async renew(plan, id, phase = 0, rest = {}) {
      const { generation: seenGeneration, fence: seenFence } = await bench.details(id)
      return bench.must(plan, id, { phase, seenGeneration, seenFence }, rest)
    },
    async details(id) {
      const details = await store.jobs.get(id, OPERATOR)
      assert.ok(typeof details === 'object', `job ${id} is there`)
      return details
    },
    events: (id) => readEvents(store, id),
    async eventNames(id) {
      const events = await readEvents(store, id)
      return events.map(({ name }) => name)
    },
    sweep: (graceMs = 0, random = 0, dead = []) => store.claims.sweep({ graceMs, random, dead }),
    artifact: (changes) => newArtifact(runtime.uuid(), changes),
  }
  return bench
}

const WORKER = { service: 'workers', host: 'mill-1', pid: 4_711 }

export function newJob(id: string, changes: Partial<NewJob> = {}): NewJob {
  const type = changes.type ?? TYPE
  return {
    id,
    type,
    queue: type,
    policy: ONE_PHASE,
    tenant: '',
    owner: null,
    labels: {},
    priority: 0,
    delayMs: 0,
    runAt: null,
    key: null,
    uniqueKey: null,
    input: '{"region":"FRA"}',
    ...changes,
  }
}

export function planCall(plan: Plan, target: string | Claim, values: PlanValues = {}, rest: Act = {}): PlanCall {
  const claim = typeof target === 'string' ? null : target
  const jobId = typeof target === 'string' ? target : target.jobId
  return { jobId, plan, claim, scope: OPERATOR, values, detail: null, ...rest }
}

export function newArtifact(id: string, changes: Partial<NewArtifact> = {}): NewArtifact {
  return {
    id,
    name: 'map.png',
    contentType: 'image/png',
    sizeBytes: 12_345,
    sha256: 'ab'.repeat(32),
    path: `2026/${id}`,
    expiresInMs: null,
    phase: 'run',
    ...changes,
  }
}

/** What a worker tells of an error: the shape of an `AttemptError`. */
export function attemptError(message: string = 'the printer is on fire'): string {
  return JSON.stringify({
    name: 'Error',
    message,
    verdict: { fatal: false, rule: 'unknown' },
    phase: 'run',
    progress: 0,
  })
}
