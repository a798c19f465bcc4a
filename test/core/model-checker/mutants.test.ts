import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { scaled } from '../../support/scale.ts'
import { explore } from './checker.ts'
import { EQUIVALENT, everyMutant, WRITTEN_MUTANTS } from './mutants.ts'

const GUARDS = [
  'complete, where claim-lost: without the case',
  'complete, where phases-left: without the case',
  'complete, where nothing else holds: without the change of claim',
  'complete-only-phase, where claim-lost: without the case',
  'checkpoint, where claim-lost: without the case',
  'checkpoint, where nothing else holds: without the change of strikes',
  'fail-retry, where claim-lost: without the case',
  'fail-retry, where cancel-pending: without the case',
  'fail-final, where claim-lost: without the case',
  'fail-final, where cancel-pending: without the case',
  'release, where claim-lost: without the case',
  'release, where cancel-pending: without the case',
  'end-of-grace, where claim-lost: without the case',
  'end-of-grace, where no-cancel-pending: without the case',
  'progress-told, where claim-lost: without the case',
  'log, where claim-lost: without the case',
  'artifact, where claim-lost: without the case',
  'extend, where claim-lost: without the case',
  'claim, where queued: without the condition queued',
  'promote, where not-due: without the case',
  'promote, where scheduled-or-retrying: without the condition scheduled-or-retrying',
  'reap-suspect, where claim-lost: without the case',
  'reap-suspect, where session-alive: without the case',
  'reap-suspect, where cancel-pending: without the case',
  'reap-suspect, where session-alive: without the condition session-alive',
  'time-out-retry, where claim-lost: without the case',
  'time-out-retry, where deadline-ahead: without the case',
  'time-out-retry, where cancel-pending: without the case',
  'cancel, where not-owner: without the case',
  'cancel, where cancelled: without the case',
  'cancel, where final: without the case',
  'cancel, where running and cancel-pending: without the case',
  'retry, where not-owner: without the case',
  'retry, where moved-on: without the case',
  'retry, where final and unique-held: without the case',
  'retry, where final: without the condition final',
  'retry, where final: without the change of generation',
  'retry, where final: without the change of finishedAt',
  'retry, where final: without the change of cancel',
  'run-now, where not-owner: without the case',
  'force-fail, where not-admin: without the case',
  'force-fail, where final: without the case',
  'force-fail, where running: without the change of cancel',
  'force-reset, where moved-on: without the case',
  'force-reset, where completed: without the case',
  'force-reset, where running: without the change of claim',
]

const mutants = everyMutant()
const long = scaled(1) > 1

describe('a plan with one thing wrong is found out', () => {
  const chosen = mutants.filter(({ name }) => !(name in EQUIVALENT) && (long || GUARDS.includes(name)))
  for (const { name, exploring } of [...WRITTEN_MUTANTS, ...chosen]) {
    test(name, (context) => {
      const { violation, worlds } = explore(exploring)
      assert.notEqual(violation, null, `none of ${worlds} worlds shows that anything is wrong`)
      context.diagnostic(`against "${violation?.property}": ${violation?.path.join(', ')}`)
    })
  }

  test('the mutants that are named here exist', () => {
    const names = new Set(mutants.map(({ name }) => name))
    assert.deepEqual(
      [...GUARDS, ...Object.keys(EQUIVALENT)].filter((name) => !names.has(name)),
      [],
    )
    assert.equal(names.size, mutants.length)
  })
})

describe('what can be taken away without being missed is known, with the reason', () => {
  for (const { name, exploring } of long ? mutants.filter((mutant) => mutant.name in EQUIVALENT) : []) {
    test(name, () => assert.equal(explore(exploring).violation, null))
  }
})
