import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { interpretPlan } from '../../src/core/interpret.ts'
import type { PlanContext } from '../../src/core/interpret.ts'
import type { JobRow } from '../../src/core/job-row.ts'
import type { Changes, Condition, Plan, PlanValues } from '../../src/core/plan.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Scope } from '../../src/core/scope.ts'
import { jobRow, NOW, rowIn, stopping } from './job-rows.ts'

function contextWith(changes: Partial<PlanContext> = {}): PlanContext {
  return {
    now: NOW,
    scope: OPERATOR,
    claim: null,
    values: {},
    sessionAlive: () => false,
    uniqueHeld: () => false,
    ...changes,
  }
}

function holds(condition: Condition, row: JobRow, context: PlanContext): boolean {
  const cases = [
    { when: [condition], refuse: 'already' },
    { when: [], set: {} },
  ] as const
  return 'refused' in interpretPlan({ name: 'test', cases }, row, context)
}

const ann: Scope = { role: 'member', tenant: 'acme', user: 'ann' }
const bob: Scope = { role: 'member', tenant: 'acme', user: 'bob' }
const admin: Scope = { role: 'admin', tenant: 'acme' }
const foreignAdmin: Scope = { role: 'admin', tenant: 'other' }
const running = rowIn('running')
const claim = { jobId: running.id, holder: 7, fence: 1 }

interface ConditionRow {
  readonly condition: Condition
  readonly title: string
  readonly row?: JobRow
  readonly context?: Partial<PlanContext>
  readonly holds: boolean
}

const conditions: readonly ConditionRow[] = [
  { condition: 'out-of-scope', title: 'another tenant', context: { scope: foreignAdmin }, holds: true },
  { condition: 'out-of-scope', title: 'the tenant', context: { scope: bob }, holds: false },
  { condition: 'not-owner', title: 'another member', context: { scope: bob }, holds: true },
  { condition: 'not-owner', title: 'the owner', context: { scope: ann }, holds: false },
  { condition: 'not-owner', title: 'the admin', context: { scope: admin }, holds: false },
  { condition: 'not-admin', title: 'the owner', context: { scope: ann }, holds: true },
  { condition: 'not-admin', title: 'the admin', context: { scope: admin }, holds: false },
  { condition: 'not-admin', title: 'the operator', holds: false },
  { condition: 'claim-lost', title: 'nobody', row: running, holds: true },
  { condition: 'claim-lost', title: 'its holder', row: running, context: { claim }, holds: false },
  {
    condition: 'claim-lost',
    title: 'another holder',
    row: running,
    context: { claim: { ...claim, holder: 8 } },
    holds: true,
  },
  {
    condition: 'claim-lost',
    title: 'an earlier fence',
    row: running,
    context: { claim: { ...claim, fence: 0 } },
    holds: true,
  },
  {
    condition: 'claim-lost',
    title: "the holder's claim on another job",
    row: running,
    context: { claim: { ...claim, jobId: 'job-2' } },
    holds: true,
  },
  { condition: 'claim-lost', title: 'whoever held it', row: rowIn('completed'), context: { claim }, holds: true },
  {
    condition: 'session-alive',
    title: 'a holder that is alive',
    row: running,
    context: { sessionAlive: (holder) => holder === 7 },
    holds: true,
  },
  {
    condition: 'session-alive',
    title: 'a holder that is dead',
    row: running,
    context: { sessionAlive: (holder) => holder !== 7 },
    holds: false,
  },
  {
    condition: 'session-alive',
    title: 'no holder',
    row: rowIn('queued'),
    context: { sessionAlive: () => true },
    holds: false,
  },
  { condition: 'cancel-pending', title: 'a job that was asked to stop', row: stopping(), holds: true },
  { condition: 'cancel-pending', title: 'a job that was not', row: running, holds: false },
  { condition: 'no-cancel-pending', title: 'a job that was asked to stop', row: stopping(), holds: false },
  { condition: 'no-cancel-pending', title: 'a job that was not', row: running, holds: true },
  { condition: 'deadline-ahead', title: 'a deadline to come', row: running, holds: true },
  { condition: 'deadline-ahead', title: 'no deadline', row: rowIn('running', { deadlineAt: null }), holds: true },
  { condition: 'deadline-ahead', title: 'a deadline now', row: rowIn('running', { deadlineAt: NOW }), holds: false },
  { condition: 'not-due', title: 'a time to come', row: jobRow({ runAt: NOW + 1 }), holds: true },
  { condition: 'not-due', title: 'a time that has come', row: jobRow({ runAt: NOW }), holds: false },
  { condition: 'moved-on', title: 'a caller who saw nothing', holds: true },
  {
    condition: 'moved-on',
    title: 'the same life and fence',
    context: { values: { seenGeneration: 1, seenFence: 0 } },
    holds: false,
  },
  {
    condition: 'moved-on',
    title: 'a later life',
    context: { values: { seenGeneration: 0, seenFence: 0 } },
    holds: true,
  },
  {
    condition: 'moved-on',
    title: 'a later claim',
    row: running,
    context: { values: { seenGeneration: 1, seenFence: 0 } },
    holds: true,
  },
  {
    condition: 'unique-held',
    title: 'a key that another holds',
    row: jobRow({ uniqueKey: 'daily' }),
    context: { uniqueHeld: () => true },
    holds: true,
  },
  { condition: 'unique-held', title: 'a key that is free', row: jobRow({ uniqueKey: 'daily' }), holds: false },
  { condition: 'unique-held', title: 'no key', context: { uniqueHeld: () => true }, holds: false },
  { condition: 'phases-left', title: 'one phase of two', row: rowIn('running', { phase: 1 }), holds: true },
  { condition: 'phases-left', title: 'all phases', row: rowIn('running', { phase: 2 }), holds: false },
  { condition: 'several-phases', title: 'two phases', row: rowIn('running'), holds: true },
  { condition: 'several-phases', title: 'one phase', row: rowIn('running', { phaseCount: 1 }), holds: false },
  {
    condition: 'phase-moved',
    title: 'an earlier phase',
    row: rowIn('running', { phase: 1 }),
    context: { values: { seenPhase: 0 } },
    holds: true,
  },
  {
    condition: 'phase-moved',
    title: 'the present phase',
    row: rowIn('running', { phase: 1 }),
    context: { values: { seenPhase: 1 } },
    holds: false,
  },
  { condition: 'phase-moved', title: 'a job with no phase left', row: rowIn('running', { phase: 2 }), holds: true },
  { condition: 'phase-moved', title: 'no phase in particular', row: rowIn('running', { phase: 1 }), holds: false },
]

describe('conditions', () => {
  for (const { condition, title, row = jobRow(), context, holds: expected } of conditions) {
    test(`${condition} ${expected ? 'holds' : 'does not hold'} for ${title}`, () => {
      assert.equal(holds(condition, row, contextWith(context)), expected)
    })
  }

  test('the conditions that name states hold in these alone', () => {
    const states = ['scheduled', 'queued', 'running', 'retrying', 'completed', 'failed', 'cancelled'] as const
    const named = {
      'scheduled-or-retrying': ['scheduled', 'retrying'],
      queued: ['queued'],
      running: ['running'],
      completed: ['completed'],
      failed: ['failed'],
      cancelled: ['cancelled'],
      final: ['completed', 'failed', 'cancelled'],
    } as const
    for (const [condition, expected] of Object.entries(named)) {
      const found = states.filter((state) => holds(condition as Condition, rowIn(state), contextWith()))
      assert.deepEqual(found, expected, condition)
    }
  })
})

function changed(row: JobRow, set: Changes, values: PlanValues = {}): Partial<JobRow> {
  const outcome = interpretPlan({ name: 'test', cases: [{ when: [], set }] }, row, contextWith({ values }))
  assert.ok('row' in outcome)
  const columns = Object.keys(row) as (keyof JobRow)[]
  return Object.fromEntries(
    columns.filter((name) => outcome.row[name] !== row[name]).map((name) => [name, outcome.row[name]]),
  )
}

interface ChangeRow {
  readonly title: string
  readonly row?: JobRow
  readonly set: Changes
  readonly values?: PlanValues
  readonly changes: Partial<JobRow>
}

const worn = rowIn('failed', { failures: 2, strikes: 1, suspect: true, generation: 3, phase: 1, progress: 60 })

const changeRows: readonly ChangeRow[] = [
  { title: 'nothing is named, and nothing changes', set: {}, changes: {} },
  { title: 'the state is set', set: { state: 'running' }, changes: { state: 'running' } },
  { title: 'the claim is taken by the holder', set: { claim: 'take' }, values: { holder: 9 }, changes: { holder: 9 } },
  { title: 'a claim without a holder takes nothing', set: { claim: 'take' }, changes: {} },
  {
    title: 'the claim is dropped, with its deadline',
    row: running,
    set: { claim: 'drop' },
    changes: { holder: null, deadlineAt: null },
  },
  {
    title: 'counters are raised by one',
    row: worn,
    set: { fence: 'raise', attempt: 'raise', generation: 'raise', failures: 'raise', strikes: 'raise' },
    changes: { fence: 2, attempt: 2, generation: 4, failures: 3, strikes: 2 },
  },
  {
    title: 'failures and strikes are reset',
    row: worn,
    set: { failures: 'reset', strikes: 'reset' },
    changes: { failures: 0, strikes: 0 },
  },
  { title: 'the job becomes a suspect', set: { suspect: true }, changes: { suspect: true } },
  { title: 'suspicion is lifted', row: worn, set: { suspect: false }, changes: { suspect: false } },
  { title: 'its time is now', set: { runAt: 'now' }, changes: { runAt: NOW } },
  { title: 'its time is later', set: { runAt: 'later' }, values: { delayMs: 250 }, changes: { runAt: NOW + 250 } },
  { title: 'later without a delay is now', set: { runAt: 'later' }, changes: { runAt: NOW } },
  { title: 'it starts now', set: { startedAt: 'now' }, changes: { startedAt: NOW } },
  { title: 'it finishes now', set: { finishedAt: 'now' }, changes: { finishedAt: NOW } },
  { title: 'its end is forgotten', row: worn, set: { finishedAt: 'clear' }, changes: { finishedAt: null } },
  {
    title: 'its deadline is later',
    set: { deadlineAt: 'later' },
    values: { timeoutMs: 800 },
    changes: { deadlineAt: NOW + 800 },
  },
  {
    title: 'it has no deadline',
    row: running,
    set: { deadlineAt: 'later' },
    values: { timeoutMs: null },
    changes: { deadlineAt: null },
  },
  {
    title: 'a deadline that is not given is none',
    row: running,
    set: { deadlineAt: 'later' },
    changes: { deadlineAt: null },
  },
  {
    title: 'who cancels, and why, is noted',
    set: { cancel: 'note' },
    values: { actor: 'ann', reason: 'wrong region' },
    changes: { cancelRequestedAt: NOW, cancelledBy: 'ann', cancelReason: 'wrong region' },
  },
  {
    title: 'where nobody is named, the system cancels',
    set: { cancel: 'note' },
    changes: { cancelRequestedAt: NOW, cancelledBy: 'system' },
  },
  {
    title: 'the first to cancel stays',
    row: stopping(),
    set: { cancel: 'note' },
    values: { actor: 'bob', reason: 'no' },
    changes: {},
  },
  {
    title: 'a cancel is forgotten',
    row: stopping(),
    set: { cancel: 'clear' },
    changes: { cancelRequestedAt: null, cancelledBy: null, cancelReason: null },
  },
  { title: 'a cancel that nobody touches stays', row: stopping(), set: {}, changes: {} },
  {
    title: 'the next phase begins',
    row: running,
    set: { phase: 'next', phaseStartedAt: 'now' },
    changes: { phase: 1, phaseStartedAt: NOW },
  },
  { title: 'the phase is set', set: { phase: 'set' }, values: { phase: 1 }, changes: { phase: 1 } },
  { title: 'a phase that is not given is the first', row: worn, set: { phase: 'set' }, changes: { phase: 0 } },
  {
    title: 'the start of its phase is forgotten',
    row: running,
    set: { phaseStartedAt: 'clear' },
    changes: { phaseStartedAt: null },
  },
  {
    title: 'progress rises',
    row: running,
    set: { progress: 'set' },
    values: { progress: 30 },
    changes: { progress: 30 },
  },
  { title: 'progress does not fall', row: worn, set: { progress: 'set' }, values: { progress: 30 }, changes: {} },
  { title: 'progress that is not given changes nothing', row: worn, set: { progress: 'set' }, changes: {} },
  { title: 'progress is full', row: worn, set: { progress: 'full' }, changes: { progress: 100 } },
  {
    title: 'progress restarts at the share of the phases done',
    row: worn,
    set: { progress: 'restart' },
    changes: { progress: 50 },
  },
  {
    title: 'progress restarts at the share of the phases that are kept',
    row: worn,
    set: { phase: 'set', progress: 'restart' },
    values: { phase: 0 },
    changes: { phase: 0, progress: 0 },
  },
]

describe('changes', () => {
  for (const { title, row = jobRow(), set, values, changes } of changeRows) {
    test(title, () => assert.deepEqual(changed(row, set, values), changes))
  }
})

describe('a plan', () => {
  const plan: Plan = {
    name: 'test',
    cases: [
      { when: ['running', 'cancel-pending'], refuse: 'already' },
      { when: ['running'], set: { state: 'queued' }, event: 'job:queued', ends: 'released' },
      { when: ['queued'], set: {} },
    ],
  }

  test('its first case whose conditions all hold is the one that counts', () => {
    assert.deepEqual(interpretPlan(plan, stopping(), contextWith()), { refused: 'already' })
    assert.deepEqual(interpretPlan(plan, running, contextWith()), {
      row: { ...running, state: 'queued', eventSeq: 3 },
      event: 'job:queued',
      ends: 'released',
    })
  })

  test('without an event the sequence of events stays', () => {
    const row = jobRow()
    assert.deepEqual(interpretPlan(plan, row, contextWith()), { row, event: null, ends: null })
  })

  test('a job that it has no case for is a bug, and is said to be one', () => {
    assert.throws(() => interpretPlan(plan, rowIn('failed'), contextWith()), {
      name: 'RangeError',
      message: 'plan "test" has no case for a failed job',
    })
  })

  test('the row that was handed in is not touched', () => {
    const row = Object.freeze({ ...running })
    interpretPlan(plan, row, contextWith())
    assert.deepEqual(row, running)
  })
})
