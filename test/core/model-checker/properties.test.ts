import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { interpretPlan } from '../../../src/core/interpret.ts'
import type { JobRow } from '../../../src/core/job-row.ts'
import { explore } from './checker.ts'
import type { Exploring } from './checker.ts'
import { everyMutant, WRITTEN_MUTANTS } from './mutants.ts'
import { ANSWER, LIVENESS, STEP_PROPERTIES, WORLD_PROPERTIES } from './properties.ts'
import { TRUTH } from './refusals.ts'
import type { Bounds } from './world.ts'

const bounds: Bounds = { phaseCount: 2, maxAttempts: 2, maxStrikes: 1, generations: 2, timeoutMs: 1_000 }
const mutants = [...WRITTEN_MUTANTS, ...everyMutant()]

function mutant(name: string): Exploring {
  const found = mutants.find((each) => each.name === name)
  assert.ok(found !== undefined, `there is no mutant "${name}"`)
  return found.exploring
}

/** Every plan of this name leaves the row as it should be, but for these columns. */
function plan(name: string, write: (after: JobRow, before: JobRow) => Partial<JobRow>): Exploring {
  return {
    bounds,
    interpret: (interpreted, row, context) => {
      const outcome = interpretPlan(interpreted, row, context)
      if ('refused' in outcome || interpreted.name !== name) return outcome
      return { ...outcome, row: { ...outcome.row, ...write(outcome.row, row) } }
    },
  }
}

/** What each property alone finds out. */
const offences: Readonly<Record<string, Exploring>> = {
  'a write under a claim that is not the current one changes nothing': mutant(
    'log, where claim-lost: without the case',
  ),
  'whoever may not, changes nothing': mutant('cancel, where not-owner: without the case'),
  'every move is one of the state machine': mutant('claim, where queued: without the condition queued'),
  'the fence never falls': plan('release', ({ fence }) => ({ fence: fence - 1 })),
  'whoever takes the job, or ends its attempt from outside, raises the fence': mutant(
    'reap-suspect, where nothing else holds: without the change of fence',
  ),
  'a final job stays as it is until it is retried or reset': mutant('force-fail, where final: without the case'),
  'a new generation begins exactly where a final job goes on': mutant(
    'retry, where final: without the change of generation',
  ),
  'a pending cancel ends in cancelled or completed, unless an admin forces the job': mutant(
    'release, where cancel-pending: without the case',
  ),
  'the first to cancel stays the one who did, and is told once': mutant('whoever wrote last has cancelled'),
  'a cancel that was accepted is told and kept': mutant('cancel, where running: without the event'),
  'failures are counted by failures and time-outs alone, and begin again with a retry or reset': plan(
    'release',
    ({ failures }) => ({ failures: failures + 1 }),
  ),
  'every claim is an attempt, and nothing else is': mutant('claim, where queued: without the change of attempt'),
  'strikes and suspicion come from reaping, and a finished phase, retry or reset clears them': plan('release', () => ({
    suspect: true,
  })),
  'only a job with all its strikes is poison': plan('reap-suspect', () => ({ state: 'failed' })),
  'a live session keeps its job': mutant('every session looks dead'),
  'an attempt has the time it was given, from its claim or the latest extension on': mutant(
    'extend, where nothing else holds: without the change of deadlineAt',
  ),
  'a phase begins with a claim or with the end of the one before': mutant(
    'checkpoint, where nothing else holds: without the change of phaseStartedAt',
  ),
  'a job that people start again is due from then on': mutant(
    'run-now, where scheduled-or-retrying: without the change of runAt',
  ),
  'an attempt has all of its time': mutant('time-out-retry, where deadline-ahead: without the case'),
  'a job waits for its time': mutant('promote, where not-due: without the case'),
  'a job that fails waits before it is tried again, and others wait no longer': mutant('a delay counts for nothing'),
  'what a holder knows changes only by its own hand': plan('cancel', ({ state, phase }) => ({
    phase: state === 'running' ? 1 : phase,
  })),
  'progress never falls within an attempt, and an attempt begins at the share of the phases done':
    mutant('progress is taken back'),
  'a phase result is written once a generation, and is of that phase': mutant(
    'checkpoint, where phase-moved: without the case',
  ),
  'the event sequence has no gap': mutant('events are not counted'),
  'every move is told by the event of its state': mutant('promote, where scheduled-or-retrying: without the event'),
  'what a handler has to tell is told': mutant('log, where nothing else holds: without the event'),
  'an attempt that ends other than completed leaves its outcome': mutant(
    'release, where nothing else holds: without the outcome',
  ),
  'a generation has one final event once it is over, and none before': mutant(
    'fail-final, where nothing else holds: without the event',
  ),
  'the row names a holder exactly while a claim holds the job': mutant(
    'release, where nothing else holds: without the change of claim',
  ),
  'no two unfinished jobs hold one unique key': mutant('retry, where final and unique-held: without the case'),
  'every phase that is done has its result': mutant('force-reset, where moved-on: without the case'),
  'a completed job has all its phases done': mutant('complete, where phases-left: without the case'),
  'every invariant of a job holds': mutant('retry, where final: without the change of finishedAt'),
  [TRUTH]: mutant('every session looks alive'),
  [ANSWER]: mutant('claim, where nothing else holds: without the case'),
  [LIVENESS]: { ...mutant('every session looks alive'), bounds: { ...bounds, phaseCount: 1, timeoutMs: null } },
}

const all = [TRUTH, ANSWER, ...[...STEP_PROPERTIES, ...WORLD_PROPERTIES].map(({ name }) => name), LIVENESS]

describe('every property finds something out by itself', () => {
  for (const name of all) {
    test(name, () => {
      const exploring = offences[name]
      assert.ok(exploring !== undefined, 'name an offence against it')
      const blindTo = all.filter((other) => other !== name)
      assert.equal(explore({ ...exploring, blindTo }).violation?.property, name)
    })
  }

  test('no offence is against a property that is gone', () => {
    assert.deepEqual(new Set(Object.keys(offences)), new Set(all))
  })
})
