import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { interpretPlan } from '../../src/core/interpret.ts'
import type { PlanContext } from '../../src/core/interpret.ts'
import type { Claim, JobRow } from '../../src/core/job-row.ts'
import { isRefusal } from '../../src/core/plan.ts'
import type { Case, Plan, PlanValues } from '../../src/core/plan.ts'
import * as plans from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { JOB_STATES, mayMove } from '../../src/core/states.ts'
import { validateJob } from '../../src/core/validation.ts'
import { NOW, rowIn, stopping } from './job-rows.ts'
import { commandOf } from './plan-commands.ts'
import { admin, ann, bob, contextWith, foreign } from './plan-contexts.ts'

const { PLANS } = plans
interface Situation {
  readonly row: JobRow
  readonly context: PlanContext
}

/** Sound jobs of every kind that a plan tells apart. */
const rows: readonly JobRow[] = [
  ...JOB_STATES.map((state) => rowIn(state, { uniqueKey: 'daily' })),
  rowIn('running', { phase: 2, progress: 100 }),
  stopping(),
  stopping({ deadlineAt: NOW }),
  rowIn('running', { deadlineAt: NOW }),
  rowIn('scheduled', { runAt: NOW }),
  rowIn('running', { phaseCount: 1 }),
  rowIn('running', { phaseCount: 1, phase: 1, progress: 100 }),
  rowIn('completed', { cancelRequestedAt: 3_000, cancelledBy: 'ann' }),
]

function situations(): readonly Situation[] {
  const scopes = [OPERATOR, admin, ann, bob, foreign]
  const claims: readonly (Claim | null)[] = [
    null,
    { jobId: 'job-1', holder: 7, fence: 1 },
    { jobId: 'job-1', holder: 7, fence: 0 },
  ]
  const yesOrNo = [true, false]
  return rows.flatMap((row) =>
    scopes.flatMap((scope) =>
      claims.flatMap((claim) =>
        yesOrNo.flatMap((alive) =>
          yesOrNo.flatMap((held) =>
            yesOrNo.map((moved) => ({
              row,
              context: contextWith({ scope, claim, alive, held, values: valuesFor(row, moved) }),
            })),
          ),
        ),
      ),
    ),
  )
}

function valuesFor(row: JobRow, moved: boolean): PlanValues {
  return {
    holder: 8,
    timeoutMs: 1_000,
    delayMs: 1_000,
    progress: 50,
    phase: 0,
    actor: 'ann',
    seenGeneration: row.generation,
    seenFence: moved ? row.fence - 1 : row.fence,
    seenPhase: moved ? row.phase - 1 : row.phase,
  }
}

function caseFor(plan: Plan, situation: Situation): Case | undefined {
  return plan.cases.find((entry) => {
    const probe = [
      { when: entry.when, refuse: 'already' },
      { when: [], set: {} },
    ] as const
    return 'refused' in interpretPlan({ name: 'probe', cases: probe }, situation.row, situation.context)
  })
}

describe('every plan', () => {
  test('the rows of these tests are sound', () => {
    for (const row of rows) assert.deepEqual(validateJob(row), [])
  })

  test('is in the list of plans, under a name of its own', () => {
    const exported = Object.values(plans).filter((value) => 'cases' in value)
    assert.deepEqual(new Set(PLANS), new Set(exported))
    assert.equal(new Set(PLANS.map(({ name }) => name)).size, PLANS.length)
  })

  for (const plan of PLANS) {
    test(`${plan.name} has an answer for every job, and makes only moves that its command may make`, () => {
      const command = commandOf(plan)
      for (const { row, context } of situations()) {
        const outcome = interpretPlan(plan, row, context)
        if ('refused' in outcome) continue
        assert.ok(mayMove(command, row.state, outcome.row.state), `${command}: ${row.state} to ${outcome.row.state}`)
      }
    })

    test(`${plan.name} has no case that nothing comes to`, () => {
      const met = new Set(situations().map((situation) => caseFor(plan, situation)))
      assert.deepEqual(
        plan.cases.filter((entry) => !met.has(entry)),
        [],
      )
    })
  }

  test('appends an event wherever it moves the job', () => {
    for (const plan of PLANS) {
      const silent = plan.cases.filter(
        (entry) => !isRefusal(entry) && entry.set.state !== undefined && entry.event === undefined,
      )
      assert.deepEqual(silent, [], plan.name)
    }
  })

  test('that a holder calls asks for the claim before anything else', () => {
    const holders = PLANS.filter((plan) => plan.cases.some(({ when }) => when.includes('claim-lost')))
    assert.equal(holders.length, 20)
    for (const { name, cases } of holders)
      assert.deepEqual(cases[0], { when: ['claim-lost'], refuse: 'lease-lost' }, name)
  })

  test('that a person calls asks for the scope before anything else, and for the right to act next', () => {
    const persons = PLANS.filter((plan) => plan.cases.some(({ when }) => when.includes('out-of-scope')))
    assert.deepEqual(
      persons.map(({ name, cases }) => [name, cases[0], cases[1]?.when]),
      [
        ['cancel', { when: ['out-of-scope'], refuse: 'not-found' }, ['not-owner']],
        ['cancel-waiting', { when: ['out-of-scope'], refuse: 'not-found' }, ['not-owner']],
        ['retry', { when: ['out-of-scope'], refuse: 'not-found' }, ['not-owner']],
        ['run-now', { when: ['out-of-scope'], refuse: 'not-found' }, ['not-owner']],
        ['force-fail', { when: ['out-of-scope'], refuse: 'not-found' }, ['not-admin']],
        ['force-reset', { when: ['out-of-scope'], refuse: 'not-found' }, ['not-admin']],
      ],
    )
  })

  test('keeps the output of a job but those that end a job of one phase, or begin again', () => {
    const outputs = PLANS.flatMap(({ name, cases }) =>
      cases.flatMap((entry) =>
        isRefusal(entry) || entry.set.output === undefined ? [] : [`${name} ${entry.set.output}`],
      ),
    )
    assert.deepEqual(outputs, [
      'complete-only-phase set',
      'retry clear',
      'force-reset clear',
      'force-reset clear',
      'force-reset clear',
    ])
  })
})
