/** Random commands against a model with a fault in it: the comparison has to notice, or it proves nothing about real stores. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import * as fc from 'fast-check'

import type { Apply, Case, Changes, Plan } from '../../src/core/plan.ts'
import { isRefusal } from '../../src/core/plan.ts'
import { PLANS } from '../../src/core/plans.ts'
import { commands } from '../support/command.ts'
import { CommandRun } from '../support/command-run.ts'
import { openBrokenModel, openModel } from '../support/open-model.ts'

const RUNS = 800

async function isNoticed(broken: Plan): Promise<boolean> {
  const property = fc.asyncProperty(commands, async (made) => {
    const [oracle, other] = await Promise.all([
      openModel(),
      openBrokenModel((plan) => (plan.name === broken.name ? broken : plan)),
    ])
    await new CommandRun({ oracle, other }).run(made)
  })
  const { failed } = await fc.check(property, { numRuns: RUNS, seed: 1, endOnFailure: true })
  return failed
}

function planNamed(name: string): Plan {
  const plan = PLANS.find((known) => known.name === name)
  assert.ok(plan !== undefined)
  return plan
}

/** The plan without the first case that asks for the condition. */
function without(name: string, condition: string): Plan {
  const { cases } = planNamed(name)
  const dropped = cases.findIndex(({ when }) => when.some((asked) => asked === condition))
  assert.notEqual(dropped, -1)
  return { name, cases: cases.toSpliced(dropped, 1) }
}

/** The plan whose applying cases change one thing otherwise. */
function changed(name: string, set: Changes): Plan {
  const cases = planNamed(name).cases.map((entry): Case => {
    if (isRefusal(entry)) return entry
    const apply: Apply = { ...entry, set: { ...entry.set, ...set } }
    return apply
  })
  return { name, cases }
}

const FAULTS: readonly (readonly [string, Plan])[] = [
  ['a checkpoint asks for no claim', without('checkpoint', 'claim-lost')],
  ['a log line asks for no claim', without('log', 'claim-lost')],
  ['a failure forgets the pending cancel', without('fail-retry', 'cancel-pending')],
  ['a release forgets the pending cancel', without('release', 'cancel-pending')],
  ['a reaped job forgets the pending cancel', without('reap-suspect', 'cancel-pending')],
  ['a time-out forgets the pending cancel', without('time-out-retry', 'cancel-pending')],
  ['a job with phases left can complete', without('complete', 'phases-left')],
  ['a second cancel is heard', without('cancel', 'cancel-pending')],
  ["a member may cancel what is another's", without('cancel', 'not-owner')],
  ["an admin may cancel what is another tenant's", without('cancel', 'out-of-scope')],
  ['a retry does not look for the unique key', without('retry', 'unique-held')],
  ['a retry does not look whether the job has moved on', without('retry', 'moved-on')],
  ['a reaped job does not become a suspect', changed('reap-suspect', { suspect: false })],
  ['a strike is not counted', changed('reap-strike', { strikes: 'reset' })],
  ['a checkpoint does not clear a suspect', changed('checkpoint', { suspect: true })],
  ['a retry counts as a failure', changed('retry', { failures: 'raise' })],
  ['a claim counts as a failure', changed('claim', { failures: 'raise' })],
  ['a stuck job that failed has a failure', changed('reap-stuck', { failures: 'raise' })],
]

for (const [fault, broken] of FAULTS) {
  test(`random commands notice it if ${fault}`, async () => {
    assert.ok(await isNoticed(broken))
  })
}
