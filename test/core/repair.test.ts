import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { repairJob } from '../../src/core/repair.ts'
import type { JobRepair } from '../../src/core/repair.ts'
import type { JobRow } from '../../src/core/job-row.ts'
import { JOB_STATES, mayMove } from '../../src/core/states.ts'
import type { JobState } from '../../src/core/states.ts'
import { validateJob } from '../../src/core/validation.ts'
import type { ValidatedJob } from '../../src/core/validation.ts'
import { NOW, jobRow, rowIn, stopping } from './job-rows.ts'

function repaired(job: ValidatedJob): JobRepair {
  const repair = repairJob(job, NOW)
  assert.ok(repair !== null)
  return repair
}

interface Broken {
  readonly title: string
  readonly job: ValidatedJob
  /** What becomes of it. */
  readonly changes: Partial<JobRow>
  readonly event?: JobRepair['event']
}

const ASKED: Partial<JobRow> = { cancelRequestedAt: 3_000, cancelledBy: 'ann', cancelReason: 'wrong region' }

const BROKEN: readonly Broken[] = [
  { title: 'a progress above 100', job: jobRow({ progress: 140 }), changes: { progress: 100 } },
  { title: 'a progress below 0', job: jobRow({ progress: -1 }), changes: { progress: 0 } },
  { title: 'a progress that is no number', job: jobRow({ progress: Number.NaN }), changes: { progress: 0 } },
  {
    title: 'a running job that nobody holds goes back into the queue',
    job: rowIn('running', { holder: null }),
    changes: { state: 'queued', deadlineAt: null, fence: 2, eventSeq: 3 },
    event: 'job:queued',
  },
  {
    title: 'one that was asked to stop is cancelled',
    job: stopping({ holder: null }),
    changes: { state: 'cancelled', deadlineAt: null, fence: 2, finishedAt: NOW, eventSeq: 3 },
    event: 'job:cancelled',
  },
  {
    title: 'a job that is held although it waits is fenced',
    job: jobRow({ holder: 7 }),
    changes: { holder: null, fence: 1 },
  },
  {
    title: 'a deadline of a job that does not run',
    job: rowIn('failed', { deadlineAt: 6_000 }),
    changes: { deadlineAt: null },
  },
  { title: 'no end of a final job', job: rowIn('completed', { finishedAt: null }), changes: { finishedAt: NOW } },
  { title: 'an end of a job that waits', job: jobRow({ finishedAt: 4_000 }), changes: { finishedAt: null } },
  {
    title: 'a cancel that was forgotten is carried out',
    job: jobRow({ ...ASKED }),
    changes: { state: 'cancelled', finishedAt: NOW, eventSeq: 2 },
    event: 'job:cancelled',
  },
  {
    title: 'a cancel of a job that has failed is dropped',
    job: rowIn('failed', { ...ASKED }),
    changes: { cancelRequestedAt: null, cancelledBy: null, cancelReason: null },
  },
  {
    title: 'a cancelled job without a request, but with who cancelled it',
    job: rowIn('cancelled', { cancelRequestedAt: null }),
    changes: { cancelRequestedAt: 4_000 },
  },
  {
    title: 'a cancelled job of which nothing is known',
    job: rowIn('cancelled', { cancelRequestedAt: null, cancelledBy: null, cancelReason: null }),
    changes: { cancelRequestedAt: 4_000, cancelledBy: 'system' },
  },
  {
    title: 'a cancel by nobody',
    job: stopping({ cancelledBy: null, cancelReason: null }),
    changes: { cancelledBy: 'system' },
  },
  {
    title: 'a cancel that was never asked for',
    job: jobRow({ cancelledBy: 'ann', cancelReason: 'why' }),
    changes: { cancelledBy: null, cancelReason: null },
  },
  {
    title: 'a completed job below 100',
    job: rowIn('completed', { progress: 50 }),
    changes: { progress: 100 },
  },
]

describe('a job is put right', () => {
  for (const { title, job, changes, event = null } of BROKEN) {
    test(title, () => {
      const repair = repaired(job)
      assert.deepEqual(repair.row, { ...job, ...changes })
      assert.equal(repair.event, event)
      assert.equal(repair.endsAttempt, job.state === 'running' && event !== null)
      assert.deepEqual(
        repair.fixed,
        validateJob(job).map(({ code }) => code),
      )
      assert.deepEqual(validateJob(repair.row), [])
    })
  }

  test('several issues of one job at once', () => {
    const job = rowIn('running', { holder: null, finishedAt: 4_000, progress: 140 })
    assert.deepEqual(repaired(job).fixed, [
      'progress-out-of-range',
      'running-without-holder',
      'finished-at-without-final',
    ])
  })

  test('what can be, beside what a person has to choose about', () => {
    const { row, fixed } = repaired(rowIn('completed', { phase: 1, progress: 50 }))
    assert.deepEqual(fixed, ['completed-below-full'])
    assert.deepEqual(
      validateJob(row).map(({ code }) => code),
      ['completed-with-phases-left'],
    )
  })

  test('what was counted beside the row is no part of it', () => {
    const { row } = repaired({ ...jobRow({ progress: -1 }), results: 0, unknown: [] })
    assert.deepEqual(row, jobRow())
  })
})

describe('where the state moves', () => {
  test('it is a move of the command repair, whatever is wrong with the job', () => {
    const moves = new Set<string>()
    for (const broken of brokenRows()) {
      const repair = repairJob(broken, NOW)
      if (repair === null || repair.row.state === broken.state) continue
      assert.ok(mayMove('repair', broken.state, repair.row.state), `${broken.state} to ${repair.row.state}`)
      moves.add(`${broken.state} → ${repair.row.state}`)
    }
    assert.deepEqual(
      [...moves],
      [
        'scheduled → cancelled',
        'queued → cancelled',
        'running → queued',
        'running → cancelled',
        'retrying → cancelled',
      ],
    )
  })
})

/** Facts of a job that may be there or not, whether they belong together or not. */
const FACTS: readonly (readonly Partial<JobRow>[])[] = [
  [{ holder: null }, { holder: 7 }],
  [{ deadlineAt: null }, { deadlineAt: 6_000 }],
  [{ finishedAt: null }, { finishedAt: 4_000 }],
  [{}, ASKED, { cancelRequestedAt: 3_000, cancelledBy: null }],
]

/** A job in each state with every combination of them. */
function brokenRows(): readonly JobRow[] {
  return FACTS.reduce<readonly JobRow[]>(
    (rows, choices) => rows.flatMap((row) => choices.map((choice) => ({ ...row, ...choice }))),
    JOB_STATES.map((state) => rowIn(state)),
  )
}

describe('a job is left as it is', () => {
  for (const state of JOB_STATES) {
    test(`where it is sound and ${state}`, () => assert.equal(repairJob(rowIn(state), NOW), null))
  }

  test('where there is a choice to make', () => {
    assert.equal(repairJob(rowIn('completed', { phase: 1 }), NOW), null)
  })

  test('where its state is none at all', () => {
    assert.equal(repairJob(jobRow({ state: 'lost' as JobState, holder: 7 }), NOW), null)
  })
})
