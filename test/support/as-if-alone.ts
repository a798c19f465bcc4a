/** A hundred running jobs and what is done to them at once, which must be as if each call had been alone. */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'

import type { EventName } from '../../src/core/events.ts'
import type { Plan, PlanValues } from '../../src/core/plan.ts'
import { CANCEL, END_OF_GRACE, FORCE_RESET } from '../../src/core/plans.ts'
import type { ClaimedJob, PlanCall, PlanResult } from '../../src/store/claims.ts'
import type { NewJob } from '../../src/store/jobs.ts'
import { openBench, planCall } from './contract-bench.ts'
import type { Act, Bench } from './contract-bench.ts'
import { dumpStore } from './store-dump.ts'
import type { OpenStore } from './store-under-test.ts'

export const MANY = 100

/** So many jobs that one session runs. */
export async function runningMany(bench: Bench, changes: Partial<NewJob> = {}): Promise<readonly ClaimedJob[]> {
  await bench.store.jobs.enqueue(Array.from({ length: MANY }, () => bench.job(changes)))
  const claimed = await bench.claim(await bench.session(), MANY)
  assert.equal(claimed.length, MANY)
  return claimed
}

type Held = Pick<ClaimedJob, 'claim'>

export function idOf(claimed: readonly Held[], index: number): string {
  const job = claimed[index]
  assert.ok(job !== undefined)
  return job.claim.jobId
}

/** The names of a job's events, which must count from 1 without a gap. */
export async function gaplessNames(bench: Bench, id: string): Promise<readonly EventName[]> {
  const events = await bench.events(id)
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_event, index) => index + 1),
  )
  return events.map(({ name }) => name)
}

export type MadeCall = readonly [plan: Plan, job: number, values?: PlanValues, rest?: Act]

interface AsIfAlone {
  /** The same in both stores. */
  readonly prepare: (bench: Bench) => Promise<readonly Held[]>
  readonly calls: readonly MadeCall[]
}

interface Together {
  readonly bench: Bench
  readonly claimed: readonly Held[]
  readonly results: readonly PlanResult[]
}

/**
 * Makes the calls at once in one store, as one in a second, and one after another in a third, and holds the answers and all that is stored to
 * be the same.
 */
export async function asIfAlone(
  context: TestContext,
  open: OpenStore,
  { prepare, calls }: AsIfAlone,
): Promise<Together> {
  const [bench, asOne, twin] = [
    await openBench(context, open),
    await openBench(context, open),
    await openBench(context, open),
  ]
  const claimed = await prepare(bench)
  const results = await Promise.all(madeOn(claimed, calls).map((call) => bench.store.claims.apply(call)))
  const alone: PlanResult[] = []
  for (const call of madeOn(await prepare(twin), calls)) alone.push(await twin.store.claims.apply(call))
  assert.deepEqual(results, alone)
  const stored = await dumpStore(bench.store)
  assert.deepEqual(stored, await dumpStore(twin.store))
  assert.deepEqual(await asOne.store.claims.applyAll(madeOn(await prepare(asOne), calls)), alone)
  assert.deepEqual(stored, await dumpStore(asOne.store))
  return { bench, claimed, results }
}

function madeOn(claimed: readonly Held[], calls: readonly MadeCall[]): readonly PlanCall[] {
  return calls.map(([plan, index, values, rest]) => {
    const job = claimed[index]
    assert.ok(job !== undefined)
    return planCall(plan, job.claim, values, rest)
  })
}

export const EVERY_JOB: readonly number[] = Array.from({ length: MANY }, (_, job) => job)

export function refusalsOf(results: readonly PlanResult[]): readonly (readonly [call: number, refusal: string])[] {
  return results.flatMap((result, index) => (result.applied ? [] : [[index, result.refusal] as const]))
}

/** Claims that are lost in the middle, each in its own way, of jobs that were claimed together. */
export async function loseClaims(bench: Bench, claimed: readonly Held[]): Promise<void> {
  await bench.must(CANCEL, idOf(claimed, 40), { actor: 'ann', reason: null })
  const claim = claimed[40]?.claim
  assert.ok(claim !== undefined)
  await bench.must(END_OF_GRACE, claim)
  await bench.renew(FORCE_RESET, idOf(claimed, 50))
}
