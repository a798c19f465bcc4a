/** A store in memory, a clock that stands still, and workers on both: what most tests of the worker begin with. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { JobDefinition } from '../../src/core/definition.ts'
import { CANCEL } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { LogFields, Logger } from '../../src/runtime/logger.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import type { VirtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import { openSqliteStore } from '../../src/sqlite/open.ts'
import type { ClaimRequest, PlanCall } from '../../src/store/claims.ts'
import type { EventRecord } from '../../src/store/events.ts'
import type { JobDetails, NewJob } from '../../src/store/jobs.ts'
import type { Store } from '../../src/store/store.ts'
import type { Handler } from '../../src/worker/handler.ts'
import { startWorker } from '../../src/worker/start-worker.ts'
import type { StartWorkerOptions } from '../../src/worker/start-worker.ts'
import type { Worker } from '../../src/worker/worker.ts'

interface LogLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: LogFields
}

/** What the store does instead of its work, where a test says so: reject with the error that is answered. */
interface Faults {
  apply?: (call: PlanCall) => Error | undefined | Promise<undefined>
  claim?: (request: ClaimRequest) => Error | undefined | Promise<undefined>
  interruptions?: () => Error | undefined
  openSession?: () => Error | undefined | Promise<undefined>
  noteStop?: () => Error | undefined
}

export interface Workplace {
  readonly store: Store
  readonly runtime: VirtualRuntime
  readonly logs: LogLine[]
  readonly faults: Faults
  /** Tells the newest session of this store that it was lost. */
  readonly sessionLost: () => void
  /** Every plan that was carried out or tried, in order. */
  readonly calls: PlanCall[]
  readonly enqueue: (definition: JobDefinition, input?: unknown, more?: Partial<NewJob>) => Promise<string>
  readonly cancel: (jobId: string, actor?: string, reason?: string) => Promise<void>
  /** A worker that is stopped when the test ends, whatever state it is in. */
  readonly start: (handlers: readonly Handler[], options?: Partial<StartWorkerOptions>) => Promise<Worker>
  readonly job: (jobId: string) => Promise<JobDetails>
  readonly events: (jobId: string) => Promise<readonly EventRecord[]>
  readonly eventNames: (jobId: string) => Promise<readonly string[]>
  readonly logged: (message: string) => readonly LogFields[]
}

export async function openWorkplace(context: TestContext): Promise<Workplace> {
  const runtime = virtualRuntime()
  const logs: LogLine[] = []
  const faults: Faults = {}
  const calls: PlanCall[] = []
  const logger = recordingLogger(logs)
  const folder = mkdtempSync(join(tmpdir(), 'millrace-worker-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const memory = await openSqliteStore({
    url: 'sqlite::memory:',
    runtime,
    logger,
    clock: runtime.clock,
    artifactFolder: folder,
  })
  context.after(() => memory.close())
  const onLost: (() => void)[] = []
  const store = withFaults(memory, { faults, calls, onLost })
  const workplace: Workplace = {
    store,
    runtime,
    logs,
    faults,
    calls,
    sessionLost: () => onLost.at(-1)?.(),
    enqueue: async (definition, input = {}, more = {}) => {
      const [enqueued] = await store.jobs.enqueue([newJob(runtime, definition, input, more)])
      assert.equal(enqueued?.outcome, 'created')
      return enqueued.id
    },
    cancel: async (jobId, actor = 'ann', reason) => {
      const values = { actor, reason: reason ?? null }
      const call = { jobId, plan: CANCEL, scope: OPERATOR, claim: null, values, detail: null }
      assert.equal((await memory.claims.apply(call)).applied, true)
    },
    start: async (handlers, options = {}) => {
      const worker = await startWorker({ store, runtime, logger, service: 'tests', handlers, ...options })
      context.after(() => stopAnyhow(worker, runtime))
      return worker
    },
    job: async (jobId) => {
      const job = await store.jobs.get(jobId, OPERATOR)
      assert(typeof job === 'object', `job ${jobId} is there`)
      return job
    },
    events: (jobId) => store.events.read({ scope: OPERATOR, after: 0, limit: 1_000, jobId }),
    eventNames: async (jobId) => (await workplace.events(jobId)).map(({ name }) => name),
    logged: (message) => logs.filter((line) => line.message === message).map(({ fields }) => fields),
  }
  return workplace
}

function newJob(runtime: VirtualRuntime, definition: JobDefinition, input: unknown, more: Partial<NewJob>): NewJob {
  const { name: type, queue, policy } = definition
  return {
    id: runtime.uuid(),
    type,
    queue,
    policy,
    tenant: '',
    owner: null,
    labels: {},
    priority: 0,
    delayMs: 0,
    runAt: null,
    key: null,
    uniqueKey: null,
    input: JSON.stringify(input),
    ...more,
  }
}

function recordingLogger(logs: LogLine[]): Logger {
  const record =
    (level: LogLine['level']) =>
    (message: string, fields: LogFields = {}): void => {
      logs.push({ level, message, fields })
    }
  return { info: record('info'), warn: record('warn'), error: record('error') }
}

interface Watched {
  readonly faults: Faults
  readonly calls: PlanCall[]
  readonly onLost: (() => void)[]
}

function withFaults(store: Store, { faults, calls, onLost }: Watched): Store {
  const unless = async <T>(fault: Error | undefined | Promise<undefined>, work: () => Promise<T>): Promise<T> => {
    if (fault instanceof Error) throw fault
    if (fault !== undefined) await fault
    return work()
  }
  const { claims, sessions } = store
  return {
    jobs: store.jobs,
    jobTypes: store.jobTypes,
    queues: store.queues,
    events: store.events,
    audit: store.audit,
    artifacts: store.artifacts,
    retention: store.retention,
    cleanupTurns: store.cleanupTurns,
    integrity: store.integrity,
    transactions: store.transactions,
    description: store.description,
    claims: {
      pace: claims.pace,
      claim: (request) => unless(faults.claim?.(request), () => claims.claim(request)),
      take: (request) => claims.take(request),
      apply: (call) => {
        calls.push(call)
        return unless(faults.apply?.(call), () => claims.apply(call))
      },
      applyAll: (made) => {
        calls.push(...made)
        if (faults.apply === undefined) return claims.applyAll(made)
        return Promise.all(
          made.map((call) =>
            unless(faults.apply?.(call), () => claims.apply(call)).catch((error: unknown) => ({ error })),
          ),
        )
      },
      noteStop: (note) => unless(faults.noteStop?.(), () => claims.noteStop(note)),
      interruptions: (held) => unless(faults.interruptions?.(), () => claims.interruptions(held)),
      interruptionsNow: (held) => (faults.interruptions?.() === undefined ? claims.interruptionsNow(held) : null),
      sweep: (options) => claims.sweep(options),
    },
    sessions: {
      open: (session, lost) => {
        onLost.push(lost)
        return unless(faults.openSession?.(), () => sessions.open(session, lost))
      },
      drain: (holder) => sessions.drain(holder),
      end: (holder) => sessions.end(holder),
      abandon: (holder) => sessions.abandon(holder),
      ofProcesses: (space) => sessions.ofProcesses(space),
      list: () => sessions.list(),
      holder: (holder) => sessions.holder(holder),
    },
    now: () => store.now(),
    onChange: (listener) => store.onChange(listener),
    onEnqueue: (listener) => store.onEnqueue(listener),
    close: () => store.close(),
  }
}

/** Moves the clock until the stop has come to its end: a handler of the test may never end. */
async function stopAnyhow(worker: Worker, runtime: VirtualRuntime): Promise<void> {
  worker.stop().catch(() => {})
  for (let seconds = 0; worker.state !== 'stopped' && seconds < 600; seconds += 1) await runtime.advance(1_000)
}
