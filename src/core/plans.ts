/** The plans of every command on an existing job. `enqueue` makes a row and `purge` removes one; the rest is here. */
import type { Apply, Case, Plan, Refuse } from './plan.ts'

const OUT_OF_SCOPE: Refuse = { when: ['out-of-scope'], refuse: 'not-found' }
const NOT_OWNER: Refuse = { when: ['not-owner'], refuse: 'forbidden' }
const CLAIM_LOST: Refuse = { when: ['claim-lost'], refuse: 'lease-lost' }

/** A pending cancel is never lost by a failure, a release, a reap or a time-out: whatever ends the attempt makes the job cancelled. */
const CANCEL_PENDING: Apply = {
  when: ['cancel-pending'],
  set: { state: 'cancelled', claim: 'drop', finishedAt: 'now' },
  event: 'job:cancelled',
  ends: 'cancelled',
}

/** The same, by someone else than the holder: the fence moves, so that the holder's late writes are refused. */
const CANCEL_PENDING_FENCED: Apply = { ...CANCEL_PENDING, set: { ...CANCEL_PENDING.set, fence: 'raise' } }

/** Needs holder, timeoutMs. */
export const CLAIM: Plan = {
  name: 'claim',
  cases: [
    {
      when: ['queued'],
      set: {
        state: 'running',
        claim: 'take',
        fence: 'raise',
        attempt: 'raise',
        startedAt: 'now',
        deadlineAt: 'later',
        phaseStartedAt: 'now',
        progress: 'restart',
      },
      event: 'job:started',
    },
    { when: [], refuse: 'not-queued' },
  ],
}

/** A job's time has come. */
export const PROMOTE: Plan = {
  name: 'promote',
  cases: [
    { when: ['not-due'], refuse: 'not-due' },
    { when: ['scheduled-or-retrying'], set: { state: 'queued' }, event: 'job:queued' },
    { when: [], refuse: 'not-waiting' },
  ],
}

/** A phase is done. Needs progress, seenPhase: sent again after a lost answer, it must not pass over the next phase. */
export const CHECKPOINT: Plan = {
  name: 'checkpoint',
  cases: [
    CLAIM_LOST,
    { when: ['phase-moved'], refuse: 'phase-moved' },
    {
      when: [],
      set: { phase: 'next', phaseStartedAt: 'now', strikes: 'reset', suspect: false, progress: 'set' },
      event: 'phase:completed',
    },
  ],
}

/** Progress without an event. Needs progress. */
export const PROGRESS: Plan = {
  name: 'progress',
  cases: [CLAIM_LOST, { when: [], set: { progress: 'set' } }],
}

/** Progress that is told. Needs progress. */
export const PROGRESS_TOLD: Plan = {
  name: 'progress-told',
  cases: [CLAIM_LOST, { when: [], set: { progress: 'set' }, event: 'job:progress' }],
}

export const LOG: Plan = {
  name: 'log',
  cases: [CLAIM_LOST, { when: [], set: {}, event: 'job:log' }],
}

export const ARTIFACT: Plan = {
  name: 'artifact',
  cases: [CLAIM_LOST, { when: [], set: {}, event: 'artifact:written' }],
}

/** More time for the running attempt. Needs timeoutMs: from now. */
export const EXTEND: Plan = {
  name: 'extend',
  cases: [CLAIM_LOST, { when: [], set: { deadlineAt: 'later' } }],
}

/** The job's phase list follows the handler's. Needs phase, phaseCount. */
export const ADOPT_PHASES: Plan = {
  name: 'adopt-phases',
  cases: [CLAIM_LOST, { when: [], set: { phase: 'set', phaseCount: 'set' } }],
}

const COMPLETED: Apply = {
  when: [],
  set: { state: 'completed', claim: 'drop', finishedAt: 'now', progress: 'full', suspect: false },
  event: 'job:completed',
}

/** Every phase has had its checkpoint; the last result is the output. A pending cancel came too late. */
export const COMPLETE: Plan = {
  name: 'complete',
  cases: [CLAIM_LOST, { when: ['phases-left'], refuse: 'phases-left' }, COMPLETED],
}

/** The end of a job of one phase, which has no checkpoint of its own. Needs output. */
export const COMPLETE_ONLY_PHASE: Plan = {
  name: 'complete-only-phase',
  cases: [
    CLAIM_LOST,
    { when: ['several-phases'], refuse: 'phases-left' },
    { when: ['phase-moved'], refuse: 'phase-moved' },
    { ...COMPLETED, set: { ...COMPLETED.set, phase: 'next', output: 'set' } },
  ],
}

/** An attempt failed and may be tried again. Needs delayMs. */
export const FAIL_RETRY: Plan = {
  name: 'fail-retry',
  cases: [
    CLAIM_LOST,
    CANCEL_PENDING,
    {
      when: [],
      set: { state: 'retrying', claim: 'drop', failures: 'raise', runAt: 'later' },
      event: 'job:retrying',
      ends: 'failed',
    },
  ],
}

/** An attempt failed for good. */
export const FAIL_FINAL: Plan = {
  name: 'fail-final',
  cases: [
    CLAIM_LOST,
    CANCEL_PENDING,
    {
      when: [],
      set: { state: 'failed', claim: 'drop', failures: 'raise', finishedAt: 'now' },
      event: 'job:failed',
      ends: 'failed',
    },
  ],
}

/** The worker gives the job back unfinished, and no failure is counted. */
export const RELEASE: Plan = {
  name: 'release',
  cases: [
    CLAIM_LOST,
    CANCEL_PENDING,
    { when: [], set: { state: 'queued', claim: 'drop' }, event: 'job:queued', ends: 'released' },
  ],
}

/** The handler stopped because of a cancel, or its grace is over. */
export const END_OF_GRACE: Plan = {
  name: 'end-of-grace',
  cases: [CLAIM_LOST, { when: ['no-cancel-pending'], refuse: 'no-cancel-pending' }, CANCEL_PENDING],
}

const CANCELLED_AT_ONCE: Apply = {
  when: [],
  set: { state: 'cancelled', finishedAt: 'now', cancel: 'note' },
  event: 'job:cancelled',
}

/** Someone wants the job to stop. Needs actor, reason. */
export const CANCEL: Plan = {
  name: 'cancel',
  cases: [
    OUT_OF_SCOPE,
    NOT_OWNER,
    { when: ['cancelled'], refuse: 'already' },
    { when: ['final'], refuse: 'final' },
    { when: ['running', 'cancel-pending'], refuse: 'already' },
    { when: ['running'], set: { cancel: 'note' }, event: 'job:cancel-requested' },
    CANCELLED_AT_ONCE,
  ],
}

/** The same, for a job that waits alone: one that has started meanwhile runs on. Needs actor, reason. */
export const CANCEL_WAITING: Plan = {
  name: 'cancel-waiting',
  cases: [
    OUT_OF_SCOPE,
    NOT_OWNER,
    { when: ['cancelled'], refuse: 'already' },
    { when: ['final'], refuse: 'final' },
    { when: ['running'], refuse: 'not-waiting' },
    CANCELLED_AT_ONCE,
  ],
}

function timeOut(name: string, ending: Apply): Plan {
  return {
    name,
    cases: [CLAIM_LOST, { when: ['deadline-ahead'], refuse: 'deadline-ahead' }, CANCEL_PENDING_FENCED, ending],
  }
}

/** The attempt took too long; it may be tried again. Needs delayMs. */
export const TIME_OUT_RETRY: Plan = timeOut('time-out-retry', {
  when: [],
  set: { state: 'retrying', claim: 'drop', fence: 'raise', failures: 'raise', runAt: 'later' },
  event: 'job:retrying',
  ends: 'timed-out',
})

/** The attempt took too long, and it was the last. */
export const TIME_OUT_FINAL: Plan = timeOut('time-out-final', {
  when: [],
  set: { state: 'failed', claim: 'drop', fence: 'raise', failures: 'raise', finishedAt: 'now' },
  event: 'job:failed',
  ends: 'timed-out',
})

function reap(name: string, ending: Apply): Plan {
  const alive: Case = { when: ['session-alive'], refuse: 'session-alive' }
  return { name, cases: [CLAIM_LOST, alive, CANCEL_PENDING_FENCED, ending] }
}

const REAPED: Apply = {
  when: [],
  set: { state: 'queued', claim: 'drop', fence: 'raise' },
  event: 'job:queued',
  ends: 'lost',
}

/** The holder's session died; the job is innocent for all we know. */
export const REAP: Plan = reap('reap', REAPED)

/** The holder's session died with no suspect on board: from now on this job is one. */
export const REAP_SUSPECT: Plan = reap('reap-suspect', { ...REAPED, set: { ...REAPED.set, suspect: true } })

/** The holder's session died with this job as its suspect. */
export const REAP_STRIKE: Plan = reap('reap-strike', {
  ...REAPED,
  set: { ...REAPED.set, suspect: true, strikes: 'raise' },
})

/** The last strike: this job kills its workers. */
export const REAP_POISON: Plan = reap('reap-poison', {
  when: [],
  set: { state: 'failed', claim: 'drop', fence: 'raise', suspect: true, strikes: 'raise', finishedAt: 'now' },
  event: 'job:failed',
  ends: 'lost',
})

/** Whoever drove the job by hand let the lock run out and fell silent in the middle of it: what was done outside is for a person to look at. */
export const REAP_STUCK: Plan = reap('reap-stuck', {
  when: [],
  set: { state: 'failed', claim: 'drop', fence: 'raise', finishedAt: 'now' },
  event: 'job:failed',
  ends: 'lost',
})

const AFRESH: Apply = {
  when: [],
  set: {
    state: 'queued',
    fence: 'raise',
    failures: 'reset',
    strikes: 'reset',
    suspect: false,
    runAt: 'now',
    cancel: 'clear',
    phase: 'set',
    phaseStartedAt: 'clear',
    progress: 'restart',
    output: 'clear',
  },
  event: 'job:queued',
}

const NEW_GENERATION: Apply = { ...AFRESH, set: { ...AFRESH.set, generation: 'raise', finishedAt: 'clear' } }

/**
 * A new generation, from `phase` on. Needs phase, seenGeneration, seenFence: which phase that is depends on what the caller saw.
 * A retry that starts at a later phase keeps the results before it.
 */
export const RETRY: Plan = {
  name: 'retry',
  cases: [
    OUT_OF_SCOPE,
    NOT_OWNER,
    { when: ['moved-on'], refuse: 'moved-on' },
    { when: ['final', 'unique-held'], refuse: 'unique-held' },
    { ...NEW_GENERATION, when: ['final'] },
    { when: [], refuse: 'not-final' },
  ],
}

/** Do not wait for the time. */
export const RUN_NOW: Plan = {
  name: 'run-now',
  cases: [
    OUT_OF_SCOPE,
    NOT_OWNER,
    { when: ['queued'], refuse: 'already' },
    { when: ['scheduled-or-retrying'], set: { state: 'queued', runAt: 'now' }, event: 'job:queued' },
    { when: [], refuse: 'not-waiting' },
  ],
}

const NOT_ADMIN: Refuse = { when: ['not-admin'], refuse: 'forbidden' }

const FORCED: Apply = {
  when: [],
  set: { state: 'failed', fence: 'raise', finishedAt: 'now', cancel: 'clear' },
  event: 'job:failed',
}

/** An administrator ends a job. */
export const FORCE_FAIL: Plan = {
  name: 'force-fail',
  cases: [
    OUT_OF_SCOPE,
    NOT_ADMIN,
    { when: ['final'], refuse: 'final' },
    { ...FORCED, when: ['running'], set: { ...FORCED.set, claim: 'drop' }, ends: 'forced' },
    FORCED,
  ],
}

/**
 * An administrator puts a job back into the queue, whatever it is doing. Needs phase, seenGeneration, seenFence: of two resets at once the
 * later one must not start at a phase whose predecessors' results the earlier one has dropped.
 */
export const FORCE_RESET: Plan = {
  name: 'force-reset',
  cases: [
    OUT_OF_SCOPE,
    NOT_ADMIN,
    { when: ['moved-on'], refuse: 'moved-on' },
    { when: ['completed'], refuse: 'final' },
    { when: ['final', 'unique-held'], refuse: 'unique-held' },
    { ...NEW_GENERATION, when: ['final'] },
    { ...AFRESH, when: ['running'], set: { ...AFRESH.set, claim: 'drop' }, ends: 'forced' },
    AFRESH,
  ],
}

/** Every plan, for whoever compiles or checks them all. */
export const PLANS: readonly Plan[] = [
  CLAIM,
  PROMOTE,
  CHECKPOINT,
  PROGRESS,
  PROGRESS_TOLD,
  LOG,
  ARTIFACT,
  EXTEND,
  ADOPT_PHASES,
  COMPLETE,
  COMPLETE_ONLY_PHASE,
  FAIL_RETRY,
  FAIL_FINAL,
  RELEASE,
  END_OF_GRACE,
  CANCEL,
  CANCEL_WAITING,
  TIME_OUT_RETRY,
  TIME_OUT_FINAL,
  REAP,
  REAP_SUSPECT,
  REAP_STRIKE,
  REAP_POISON,
  REAP_STUCK,
  RETRY,
  RUN_NOW,
  FORCE_FAIL,
  FORCE_RESET,
]
