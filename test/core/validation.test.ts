import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { JobState } from '../../src/core/states.ts'
import { JOB_STATES } from '../../src/core/states.ts'
import { forgiveDisorder, validateJob } from '../../src/core/validation.ts'
import type { IssueCode, LoggedEvents, ValidatedJob } from '../../src/core/validation.ts'
import { jobRow, rowIn, stopping } from './job-rows.ts'

function codesOf(job: ValidatedJob): readonly IssueCode[] {
  return validateJob(job).map(({ code }) => code)
}

const sound: readonly (readonly [string, ValidatedJob])[] = [
  ...JOB_STATES.map((state) => [`a ${state} job`, rowIn(state)] as const),
  ['a running job that was asked to stop', stopping()],
  [
    'a job that completed although it was asked to stop',
    rowIn('completed', { cancelRequestedAt: 3_000, cancelledBy: 'ann' }),
  ],
  ['a running job without a deadline', rowIn('running', { deadlineAt: null })],
  ['a running job that only has to be completed', { ...rowIn('running', { phase: 2, progress: 100 }), results: 2 }],
  [
    'a queued job that was released',
    rowIn('queued', { attempt: 1, fence: 1, startedAt: 2_000, phaseStartedAt: 2_000 }),
  ],
  ['a job with its phase results', { ...rowIn('running', { phase: 1 }), results: 1 }],
  [
    'a completed job of one phase, whose result is its output',
    { ...rowIn('completed', { phase: 1, phaseCount: 1 }), results: 0 },
  ],
  ['a job of one phase that kept its result', { ...rowIn('running', { phase: 1, phaseCount: 1 }), results: 1 }],
  ['an unfinished job with its log', { ...rowIn('running'), events: logged(2, 0) }],
  ['a finished job with its log', { ...rowIn('completed'), events: logged(3, 1) }],
  ['a job whose type is known', { ...jobRow(), unknown: [] }],
  ['a job whose progress is a fraction', rowIn('running', { progress: 33.3 })],
]

function logged(count: number, finals: number): LoggedEvents {
  return { count, lastSeq: count, finals }
}

describe('a sound job has no issue', () => {
  for (const [title, job] of sound) test(title, () => assert.deepEqual(validateJob(job), []))
})

interface Broken {
  readonly title: string
  readonly job: ValidatedJob
  readonly codes: readonly IssueCode[]
}

const unsound: readonly Broken[] = [
  { title: 'an unknown state', job: jobRow({ state: 'lost' as JobState }), codes: ['state-unknown'] },
  {
    title: 'a type and a lane that are not there',
    job: { ...jobRow(), unknown: ['type', 'lane'] },
    codes: ['reference-unknown'],
  },
  { title: 'no input', job: { ...jobRow(), missing: ['input'] }, codes: ['field-missing'] },
  { title: 'no id', job: jobRow({ id: '' }), codes: ['field-missing'] },
  { title: 'no run-at', job: jobRow({ runAt: Number.NaN }), codes: ['field-missing'] },
  {
    title: 'a deadline that is no instant',
    job: rowIn('running', { deadlineAt: Number.NaN }),
    codes: ['field-missing'],
  },
  { title: 'strikes below zero', job: jobRow({ strikes: -1 }), codes: ['counter-invalid'] },
  { title: 'half a failure', job: rowIn('retrying', { failures: 0.5 }), codes: ['counter-invalid'] },
  { title: 'a phase below zero', job: jobRow({ phase: -1 }), codes: ['phase-out-of-range'] },
  { title: 'a phase beyond the last', job: rowIn('running', { phase: 3 }), codes: ['phase-out-of-range'] },
  { title: 'half a phase', job: rowIn('running', { phase: 0.5 }), codes: ['phase-out-of-range'] },
  { title: 'no phases at all', job: jobRow({ phaseCount: 0 }), codes: ['phase-out-of-range'] },
  { title: 'half a phase in all', job: jobRow({ phaseCount: 1.5 }), codes: ['phase-out-of-range'] },
  { title: 'progress below 0', job: rowIn('running', { progress: -0.1 }), codes: ['progress-out-of-range'] },
  { title: 'progress above 100', job: rowIn('running', { progress: 100.1 }), codes: ['progress-out-of-range'] },
  {
    title: 'progress that is no number',
    job: rowIn('running', { progress: Number.NaN }),
    codes: ['progress-out-of-range'],
  },
  { title: 'a fence behind its attempts', job: rowIn('running', { attempt: 3 }), codes: ['fence-behind-attempts'] },
  { title: 'more failures than attempts', job: rowIn('failed', { failures: 2 }), codes: ['failures-beyond-attempts'] },
  { title: 'more strikes than attempts', job: rowIn('failed', { strikes: 2 }), codes: ['strikes-beyond-attempts'] },
  { title: 'nobody who runs it', job: rowIn('running', { holder: null }), codes: ['running-without-holder'] },
  { title: 'a holder after its end', job: rowIn('completed', { holder: 7 }), codes: ['holder-without-running'] },
  { title: 'a holder in the queue', job: jobRow({ holder: 7 }), codes: ['holder-without-running'] },
  { title: 'a deadline in the queue', job: jobRow({ deadlineAt: 6_000 }), codes: ['deadline-without-running'] },
  { title: 'an end at no instant', job: rowIn('failed', { finishedAt: null }), codes: ['final-without-finished-at'] },
  { title: 'an end while it runs', job: rowIn('running', { finishedAt: 4_000 }), codes: ['finished-at-without-final'] },
  {
    title: 'a cancel that a failure forgot',
    job: rowIn('retrying', { cancelRequestedAt: 3_000, cancelledBy: 'ann' }),
    codes: ['cancel-forgotten'],
  },
  {
    title: 'a cancel that a last failure forgot',
    job: rowIn('failed', { cancelRequestedAt: 3_000, cancelledBy: 'ann' }),
    codes: ['cancel-forgotten'],
  },
  {
    title: 'a cancellation that nobody asked for',
    job: rowIn('cancelled', { cancelRequestedAt: null, cancelledBy: null, cancelReason: null }),
    codes: ['cancelled-without-request'],
  },
  {
    title: 'a cancel by nobody',
    job: stopping({ cancelledBy: null, cancelReason: null }),
    codes: ['cancel-incomplete'],
  },
  { title: 'a cancel at no instant', job: stopping({ cancelRequestedAt: null }), codes: ['cancel-incomplete'] },
  {
    title: 'a reason to cancel without a cancel',
    job: rowIn('running', { cancelReason: 'why not' }),
    codes: ['cancel-incomplete'],
  },
  {
    title: 'a completion with phases left',
    job: rowIn('completed', { phase: 1 }),
    codes: ['completed-with-phases-left'],
  },
  { title: 'a completion below 100 %', job: rowIn('completed', { progress: 99 }), codes: ['completed-below-full'] },
  {
    title: 'a schedule after a start',
    job: rowIn('scheduled', { attempt: 1, fence: 1, startedAt: 2_000 }),
    codes: ['scheduled-after-start'],
  },
  {
    title: 'a second try without a failure',
    job: rowIn('retrying', { failures: 0 }),
    codes: ['retrying-without-failure'],
  },
  {
    title: 'an attempt that never started',
    job: rowIn('queued', { attempt: 1, fence: 1 }),
    codes: ['attempt-without-start'],
  },
  { title: 'a start without an attempt', job: jobRow({ startedAt: 2_000 }), codes: ['start-without-attempt'] },
  {
    title: 'a run without an attempt',
    job: jobRow({ state: 'running', holder: 7, phaseStartedAt: 2_000 }),
    codes: ['start-without-attempt'],
  },
  {
    title: 'a phase that runs but never began',
    job: rowIn('running', { phaseStartedAt: null }),
    codes: ['phase-without-start'],
  },
  { title: 'a run before its time', job: rowIn('running', { runAt: 2_001 }), codes: ['started-early'] },
  { title: 'a completion before its time', job: rowIn('completed', { runAt: 9_000 }), codes: ['started-early'] },
  {
    title: 'a start before it was made',
    job: rowIn('running', { createdAt: 2_001 }),
    codes: ['instants-out-of-order'],
  },
  {
    title: 'an end before its start',
    job: rowIn('failed', { finishedAt: 1_999, phaseStartedAt: 2_000 }),
    codes: ['instants-out-of-order'],
  },
  {
    title: 'a cancel after its end',
    job: rowIn('cancelled', { cancelRequestedAt: 4_001 }),
    codes: ['instants-out-of-order'],
  },
  {
    title: 'phases done without their results',
    job: { ...rowIn('running', { phase: 1 }), results: 0 },
    codes: ['results-mismatch'],
  },
  { title: 'results of phases not done', job: { ...rowIn('running'), results: 1 }, codes: ['results-mismatch'] },
  {
    title: 'too many results of one phase',
    job: { ...rowIn('running', { phaseCount: 1 }), results: 1 },
    codes: ['results-mismatch'],
  },
  {
    title: 'a log with a gap',
    job: { ...rowIn('running'), events: { count: 1, lastSeq: 2, finals: 0 } },
    codes: ['events-gap'],
  },
  {
    title: 'a log that goes on',
    job: { ...rowIn('running'), events: { count: 2, lastSeq: 3, finals: 0 } },
    codes: ['events-gap'],
  },
  {
    title: 'an end that was not told',
    job: { ...rowIn('failed'), events: logged(3, 0) },
    codes: ['final-events-mismatch'],
  },
  {
    title: 'an end that was told twice',
    job: { ...rowIn('failed'), events: logged(3, 2) },
    codes: ['final-events-mismatch'],
  },
  {
    title: 'an end that was told too soon',
    job: { ...rowIn('running'), events: logged(2, 1) },
    codes: ['final-events-mismatch'],
  },
]

const REPAIRABLE: ReadonlySet<IssueCode> = new Set([
  'progress-out-of-range',
  'running-without-holder',
  'holder-without-running',
  'deadline-without-running',
  'final-without-finished-at',
  'finished-at-without-final',
  'cancel-forgotten',
  'cancelled-without-request',
  'cancel-incomplete',
  'completed-below-full',
])

describe('an unsound job has its issues by name', () => {
  for (const { title, job, codes } of unsound) {
    test(`${title}: ${codes.join(', ')}`, () => {
      assert.deepEqual(codesOf(job), codes)
    })
  }

  test('every issue says in a sentence what was found, and whether it can be repaired', () => {
    for (const { job } of unsound) {
      for (const { code, message, repairable } of validateJob(job)) {
        assert.match(message, /^The job (?:is|has|was|knows) .+[^.]\.$/)
        assert.doesNotMatch(message, /undefined|null/)
        assert.equal(repairable, REPAIRABLE.has(code), code)
      }
    }
  })

  test('a job with several issues has them all', () => {
    const job = rowIn('running', { holder: null, finishedAt: 4_000, progress: 140 })
    assert.deepEqual(codesOf(job), ['progress-out-of-range', 'running-without-holder', 'finished-at-without-final'])
  })
})

describe('instants that overlapping transactions have left out of order', () => {
  test('are forgiven as far as the slack reaches, and become equal', () => {
    const job = rowIn('completed', {
      runAt: 1_000,
      createdAt: 1_000,
      startedAt: 900,
      phaseStartedAt: 850,
      finishedAt: 890,
    })
    assert.deepEqual(codesOf(job), ['started-early', 'instants-out-of-order'])
    const { startedAt, phaseStartedAt, finishedAt } = forgiveDisorder(job, 150)
    assert.deepEqual([startedAt, phaseStartedAt, finishedAt], [1_000, 1_000, 1_000])
    assert.deepEqual(codesOf(forgiveDisorder(job, 150)), [])
  })

  test('are told where they are farther apart', () => {
    const job = rowIn('completed', { startedAt: 900 })
    assert.deepEqual(forgiveDisorder(job, 99), job)
    for (const state of JOB_STATES) assert.deepEqual(forgiveDisorder(rowIn(state), 10_000), rowIn(state))
  })
})
