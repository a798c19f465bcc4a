/**
 * Every plan against a job in every situation, under every claim and scope that its cases ask about: the store must do what the plan says,
 * interpreted on the row as it was.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { interpretPlan } from '../../src/core/interpret.ts'
import type { Claim, JobRow } from '../../src/core/job-row.ts'
import type { Condition, Plan, PlanValues } from '../../src/core/plan.ts'
import {
  CANCEL,
  CHECKPOINT,
  CLAIM,
  COMPLETE_ONLY_PHASE,
  FAIL_FINAL,
  FAIL_RETRY,
  FORCE_FAIL,
  LOG,
  PLANS,
  PROMOTE,
  RELEASE,
} from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Scope } from '../../src/core/scope.ts'
import { LEASE_MS, MINUTE, ONE_PHASE, openBench } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import type { OpenStore } from '../support/store-under-test.ts'

interface Placed {
  readonly id: string
  /** The claim that holds or last held it. */
  readonly claim: Claim
}

type Place = (bench: Bench, unique: string) => Promise<Placed>

const OWNED = { tenant: 'acme', owner: 'ann' }
const TIMED = { ...OWNED, policy: { ...ONE_PHASE, timeoutMs: 10 * MINUTE } }
const PHASED = { ...TIMED, policy: { ...TIMED.policy, phases: ['a', 'b'] }, type: 'phased' }

async function placeRunning(bench: Bench, changes: object): Promise<Placed> {
  const { claim } = await bench.running(changes)
  return { id: claim.jobId, claim }
}

async function placeWaiting(bench: Bench, changes: object): Promise<Placed> {
  const jobId = await bench.add(changes)
  return { id: jobId, claim: { jobId, holder: 1, fence: 0 } }
}

async function placeEnded(bench: Bench, changes: object, plan: Plan, values: PlanValues): Promise<Placed> {
  const placed = await placeRunning(bench, changes)
  await bench.must(plan, placed.claim, values)
  return placed
}

async function dieTwice(bench: Bench, { claim }: Placed): Promise<void> {
  await bench.store.sessions.end(claim.holder)
  await bench.sweep()
  const again = await bench.take(await bench.session(), [PHASED.type])
  await bench.store.sessions.end(again.claim.holder)
  await bench.sweep()
}

const PLACES: Readonly<Record<string, Place>> = {
  scheduled: (bench) => placeWaiting(bench, { ...TIMED, delayMs: MINUTE }),
  queued: (bench) => placeWaiting(bench, TIMED),
  running: (bench) => placeRunning(bench, TIMED),
  'running, its last phase done': async (bench) => {
    const placed = await placeRunning(bench, PHASED)
    for (const progress of [50, 100]) await bench.must(CHECKPOINT, placed.claim, { progress }, { result: '1' })
    return placed
  },
  'running in its second phase': async (bench) => {
    const placed = await placeRunning(bench, PHASED)
    await bench.must(CHECKPOINT, placed.claim, { progress: 50 }, { result: '1' })
    return placed
  },
  'running with a cancel pending': async (bench) => {
    const placed = await placeRunning(bench, TIMED)
    await bench.must(CANCEL, placed.id, { actor: 'bob', reason: 'why not' })
    return placed
  },
  'running past its deadline': async (bench) => {
    const placed = await placeRunning(bench, TIMED)
    bench.advance(10 * MINUTE)
    return placed
  },
  'running past its deadline with a cancel pending': async (bench) => {
    const placed = await placeRunning(bench, TIMED)
    await bench.must(CANCEL, placed.id)
    bench.advance(10 * MINUTE)
    return placed
  },
  'held by a dead session': async (bench) => {
    const placed = await placeRunning(bench, OWNED)
    await bench.store.sessions.end(placed.claim.holder)
    return placed
  },
  'held by a dead session with a cancel pending': async (bench) => {
    const placed = await placeRunning(bench, OWNED)
    await bench.must(CANCEL, placed.id)
    await bench.store.sessions.end(placed.claim.holder)
    return placed
  },
  'held by a session whose lease is over': async (bench) => {
    const placed = await placeRunning(bench, OWNED)
    await bench.store.sessions.abandon(placed.claim.holder)
    bench.advance(LEASE_MS)
    return placed
  },
  'queued as a suspect with a strike': async (bench) => {
    const placed = await placeRunning(bench, PHASED)
    await dieTwice(bench, placed)
    return placed
  },
  'running as a suspect with a strike': async (bench) => {
    const placed = await placeRunning(bench, PHASED)
    await bench.must(CHECKPOINT, placed.claim, { progress: 50 }, { result: '1' })
    await dieTwice(bench, placed)
    const { claim } = await bench.take(await bench.session(), [PHASED.type])
    return { id: placed.id, claim }
  },
  retrying: (bench) => placeEnded(bench, TIMED, FAIL_RETRY, { delayMs: MINUTE }),
  'retrying and due': async (bench) => {
    const placed = await placeEnded(bench, TIMED, FAIL_RETRY, { delayMs: MINUTE })
    bench.advance(MINUTE)
    return placed
  },
  'queued again': (bench) => placeEnded(bench, TIMED, RELEASE, {}),
  completed: (bench) => placeEnded(bench, TIMED, COMPLETE_ONLY_PHASE, { output: '1' }),
  failed: (bench) => placeEnded(bench, TIMED, FAIL_FINAL, {}),
  'failed while another holds its unique key': async (bench, uniqueKey) => {
    const placed = await placeEnded(bench, { ...TIMED, uniqueKey }, FAIL_FINAL, {})
    await bench.add({ ...TIMED, uniqueKey, priority: 99 })
    return placed
  },
  cancelled: async (bench) => {
    const placed = await placeWaiting(bench, TIMED)
    await bench.must(CANCEL, placed.id, { actor: 'bob' })
    return placed
  },
}

const SCOPES: readonly Scope[] = [
  OPERATOR,
  { role: 'admin', tenant: 'acme' },
  { role: 'admin', tenant: 'other' },
  { role: 'member', tenant: 'acme', user: 'ann' },
  { role: 'member', tenant: 'acme', user: 'bob' },
  { role: 'member', tenant: 'other', user: 'ann' },
]

const SCOPED: ReadonlySet<Condition> = new Set(['out-of-scope', 'not-owner', 'not-admin'])

/** The plans that people and workers call. A claim and a promotion come about by calls of their own. */
const CALLED = PLANS.filter((plan) => plan !== CLAIM && plan !== PROMOTE)

function asks(plan: Plan, conditions: ReadonlySet<Condition>): boolean {
  return plan.cases.some(({ when }) => when.some((condition) => conditions.has(condition)))
}

const CLAIMED: ReadonlySet<Condition> = new Set(['claim-lost'])

interface Trial {
  readonly plan: Plan
  readonly claimOf: (claim: Claim) => Claim | null
  readonly scope: Scope
}

const CLAIMS: readonly Trial['claimOf'][] = [
  (claim) => claim,
  (claim) => ({ ...claim, fence: claim.fence + 1 }),
  (claim) => ({ ...claim, holder: 5 }),
  () => null,
]

const TRIALS: readonly Trial[] = CALLED.flatMap((plan) => {
  const claims = asks(plan, CLAIMED) ? CLAIMS : CLAIMS.slice(3)
  const scopes = asks(plan, SCOPED) ? SCOPES : SCOPES.slice(0, 1)
  return claims.flatMap((claimOf) => scopes.map((scope) => ({ plan, claimOf, scope })))
})

function valuesFor({ generation, fence }: JobRow): PlanValues {
  return {
    delayMs: 5_000,
    timeoutMs: 7_000,
    phase: 0,
    progress: 12.5,
    actor: 'ann',
    reason: 'because',
    output: '{"made":true}',
    seenGeneration: generation,
    seenFence: fence,
  }
}

/** The row alone, as a refusal shows it. */
async function rowOf(bench: Bench, id: string): Promise<JobRow> {
  const { row } = await bench.act(LOG, id)
  assert.ok(row !== null && 'id' in row)
  return row
}

/** Tries the plan on the job, and throws where the store does something else than the plan says. */
async function isApplied(bench: Bench, { plan, claimOf, scope }: Trial, placed: Placed): Promise<boolean> {
  const { id } = placed
  const claim = claimOf(placed.claim)
  const before = await rowOf(bench, id)
  const sessions = await bench.store.sessions.list()
  const now = await bench.store.now()
  const values = plan.name === 'adopt-phases' ? { phase: before.phase } : valuesFor(before)
  if (plan.name === 'checkpoint' && before.phase === before.phaseCount) return false
  const holderAlive = sessions.some(
    ({ running, endedAt, expiresAt }) => running > 0 && endedAt === null && expiresAt > now,
  )
  const expected = interpretPlan(plan, before, {
    now,
    scope,
    claim,
    values,
    sessionAlive: () => holderAlive,
    uniqueHeld: () => before.uniqueKey !== null,
  })
  const result = await bench.act(plan, claim ?? id, values, { scope, ...(plan === CHECKPOINT ? { result: '2' } : {}) })
  const after = await rowOf(bench, id)
  const said = `${plan.name} as ${scope.role}, claim ${claim === null ? 'none' : claim.fence}`
  if ('refused' in expected) {
    const row = expected.refused === 'not-found' ? null : before
    assert.deepEqual(result, { applied: false, refusal: expected.refused, row }, said)
    assert.deepEqual(after, before, said)
    return false
  }
  assert.equal(result.applied, true, said)
  assert.deepEqual(after, expected.row, said)
  const events = await bench.events(id)
  assert.equal(events.length, expected.row.eventSeq, said)
  if (expected.event !== null) assert.equal(events.at(-1)?.name, expected.event, said)
  const { attempts } = await bench.details(id)
  if (expected.ends !== null) assert.equal(attempts.at(-1)?.outcome, expected.ends, said)
  return true
}

export function plansContract(open: OpenStore): void {
  describe('plans', () => {
    for (const [name, place] of Object.entries(PLACES)) {
      test(`each plan does what it says to a job that is ${name}`, async (t) => {
        const bench = await openBench(t, open)
        let placed = await place(bench, 'u')
        for (const [index, trial] of TRIALS.entries()) {
          if (!(await isApplied(bench, trial, placed))) continue
          await endAll(bench)
          placed = await place(bench, `u${index}`)
        }
      })
    }
  })
}

/** Ends what the last plan may have left ready or running, so that the next job is alone. */
async function endAll(bench: Bench): Promise<void> {
  const { jobs } = await bench.store.jobs.list({
    scope: OPERATOR,
    limit: 100,
    after: null,
    states: ['scheduled', 'queued', 'running', 'retrying'],
  })
  for (const { id } of jobs) await bench.act(FORCE_FAIL, id)
}
