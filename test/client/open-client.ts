/** A client on a store in memory, and a worker that does by hand what a test tells it. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'

import { ClientContext } from '../../src/client/client-context.ts'
import { JobClient } from '../../src/client/job-client.ts'
import type { PlanValues, Plan } from '../../src/core/plan.ts'
import { CHECKPOINT, COMPLETE, COMPLETE_ONLY_PHASE, FAIL_FINAL } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Scope } from '../../src/core/scope.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import type { VirtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import type { ClaimedJob, PlanCall } from '../../src/store/claims.ts'
import type { Store } from '../../src/store/store.ts'
import { openModelStore } from '../support/model-store.ts'

export interface ClientBench {
  readonly client: JobClient
  readonly store: Store
  readonly runtime: VirtualRuntime
  /** A client of another scope on the same store. */
  readonly as: (scope: Scope) => JobClient
  /** How often a method of `store.jobs` was called. */
  readonly calls: (method: 'states' | 'enqueue') => number
  /** Claims the next job of the type. */
  readonly claim: (type: string) => Promise<ClaimedJob>
  readonly apply: (job: ClaimedJob, plan: Plan, values?: PlanValues, rest?: Partial<PlanCall>) => Promise<void>
  /** Claims the next job of the type and completes it, phase by phase. */
  readonly complete: (type: string, output: unknown) => Promise<void>
  /** Claims the next job of the type and fails it for good. */
  readonly fail: (type: string, message: string) => Promise<void>
  /** Moves the store's clock and the runtime's. */
  readonly advance: (ms: number) => Promise<void>
  readonly close: () => Promise<void>
}

export function openClient(context: TestContext): ClientBench {
  const model = openModelStore()
  const calls = { states: 0, enqueue: 0 }
  const { jobs } = model.store
  const store: Store = {
    ...model.store,
    jobs: {
      ...jobs,
      states: (ids) => {
        calls.states += 1
        return jobs.states(ids)
      },
      enqueue: (made) => {
        calls.enqueue += 1
        return jobs.enqueue(made)
      },
    },
  }
  const runtime = virtualRuntime()
  const clientContext = new ClientContext(store, runtime)
  context.after(() => clientContext.close())
  const worker = handWorker(store, runtime)
  return {
    ...worker,
    store,
    runtime,
    client: new JobClient(clientContext, OPERATOR),
    as: (scope) => new JobClient(clientContext, scope),
    calls: (method) => calls[method],
    advance: async (ms) => {
      model.advance(ms)
      await runtime.advance(ms)
    },
    close: () => clientContext.close(),
  }
}

type HandWorker = Pick<ClientBench, 'claim' | 'apply' | 'complete' | 'fail'>

function handWorker(store: Store, runtime: VirtualRuntime): HandWorker {
  const holder = runtime.key()
  const session = {
    holder,
    service: 'workers',
    host: 'mill-1',
    pid: 7,
    leaseMs: 3_600_000,
    concurrency: 4,
    types: ['mail.send'],
  }
  const opened = store.sessions.open(session, () => undefined)
  const claim = async (type: string): Promise<ClaimedJob> => {
    await opened
    const { jobs } = await store.claims.claim({ holder, types: [type], limit: 1 })
    const [job] = jobs
    assert.ok(job !== undefined, `a job of ${type} waits`)
    return job
  }
  const apply: HandWorker['apply'] = async (job, plan, values = {}, rest = {}) => {
    const { claim: held } = job
    const call = { jobId: held.jobId, plan, scope: OPERATOR, claim: held, values, detail: null, ...rest }
    const result = await store.claims.apply(call)
    assert.ok(result.applied, `${plan.name} applies`)
  }
  return {
    claim,
    apply,
    async complete(type, output) {
      const job = await claim(type)
      const result = JSON.stringify(output)
      if (job.phaseNames.length === 1) return apply(job, COMPLETE_ONLY_PHASE, { output: result })
      for (let phase = job.phase; phase < job.phaseNames.length; phase += 1) {
        await apply(job, CHECKPOINT, { progress: (100 * (phase + 1)) / job.phaseNames.length }, { result })
      }
      return apply(job, COMPLETE)
    },
    async fail(type, message) {
      const job = await claim(type)
      await apply(job, FAIL_FINAL, {}, { error: attemptError(message, job.phaseNames[job.phase] ?? '') })
    },
  }
}

export function attemptError(message: string, phase: string): string {
  return JSON.stringify({
    name: 'TypeError',
    message,
    code: 'E_PRESS',
    stack: `TypeError: ${message}\n    at press`,
    verdict: { fatal: true, rule: 'validation' },
    phase,
    progress: 0,
    context: { page: 3 },
  })
}
