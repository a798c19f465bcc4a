/**
 * What must hold of every stored job, as one table. The model checker holds it against each state it reaches; cleanup and `doctor` hold it
 * against what is in the store, where constraints keep most of it: what is found here came about by other means than a plan.
 */
import type { JobRow } from './job-row.ts'
import { isFinal, JOB_STATES } from './states.ts'
import type { JobState } from './states.ts'

/** A job's row, and what was counted beside it. */
export interface ValidatedJob extends JobRow {
  /** How many phase results are kept. The only phase of a job keeps none: its result is the output. Absent: not counted. */
  readonly results?: number
  /** What the log holds of the job. Absent: not read, or not kept from the first event on. */
  readonly events?: LoggedEvents
  /** What it refers to and is not there: `type`, `lane`, `queue`, `phase list`. Absent: not looked for. */
  readonly unknown?: readonly string[]
  /** What should be kept of it and is not: `input`. Absent: not looked for. */
  readonly missing?: readonly string[]
}

export interface LoggedEvents {
  readonly count: number
  /** Sequence number of the last one; 0: there is none. */
  readonly lastSeq: number
  /** Final events of the present generation. */
  readonly finals: number
}

/** Stable names of what can be wrong with a job. */
export type IssueCode =
  | 'state-unknown'
  | 'reference-unknown'
  | 'field-missing'
  | 'counter-invalid'
  | 'phase-out-of-range'
  | 'progress-out-of-range'
  | 'fence-behind-attempts'
  | 'failures-beyond-attempts'
  | 'strikes-beyond-attempts'
  | 'running-without-holder'
  | 'holder-without-running'
  | 'deadline-without-running'
  | 'final-without-finished-at'
  | 'finished-at-without-final'
  | 'cancel-forgotten'
  | 'cancelled-without-request'
  | 'cancel-incomplete'
  | 'completed-with-phases-left'
  | 'completed-below-full'
  | 'scheduled-after-start'
  | 'retrying-without-failure'
  | 'attempt-without-start'
  | 'start-without-attempt'
  | 'phase-without-start'
  | 'started-early'
  | 'instants-out-of-order'
  | 'results-mismatch'
  | 'events-gap'
  | 'final-events-mismatch'

export interface Issue {
  readonly code: IssueCode
  /** For people: what was found. */
  readonly message: string
  /** Whether there is one right repair, which loses nothing. Otherwise a person has to choose: force-fail, force-reset or leave it. */
  readonly repairable: boolean
}

/** Every issue of the job; none: it is sound. */
export function validateJob(job: ValidatedJob): readonly Issue[] {
  return CHECKS.filter(({ broken }) => broken(job)).map(({ code, repairable, message }) => ({
    code,
    message: `The job ${message(job)}.`,
    repairable,
  }))
}

interface Check {
  readonly code: IssueCode
  readonly repairable: boolean
  readonly broken: (job: ValidatedJob) => boolean
  /** Goes on after "The job". */
  readonly message: (job: ValidatedJob) => string
}

const FIELDS: readonly Check[] = [
  {
    code: 'state-unknown',
    repairable: false,
    broken: ({ state }) => !JOB_STATES.includes(state),
    message: ({ state }) => `is in the unknown state "${state}"`,
  },
  {
    code: 'reference-unknown',
    repairable: false,
    broken: ({ unknown = [] }) => unknown.length > 0,
    message: ({ unknown = [] }) => `has a ${unknown.join(' and a ')} that the store does not know`,
  },
  {
    code: 'field-missing',
    repairable: false,
    broken: (job) => missingField(job) !== undefined,
    message: (job) => `has no valid ${missingField(job)}`,
  },
  {
    code: 'counter-invalid',
    repairable: false,
    broken: (job) => invalidCounter(job) !== undefined,
    message: (job) => `has the ${invalidCounter(job)}, which is no count`,
  },
  {
    code: 'phase-out-of-range',
    repairable: false,
    broken: ({ phase, phaseCount }) =>
      !isCount(phase) || !isCount(phaseCount) || phaseCount === 0 || phase > phaseCount,
    message: ({ phase, phaseCount }) => `has ${phase} of ${phaseCount} phases done`,
  },
  {
    code: 'progress-out-of-range',
    repairable: true,
    broken: ({ progress }) => !(progress >= 0 && progress <= 100),
    message: ({ progress }) => `has the progress ${progress}, which is not from 0 to 100`,
  },
  {
    code: 'fence-behind-attempts',
    repairable: false,
    broken: ({ fence, attempt }) => fence < attempt,
    message: ({ fence, attempt }) => `has the fence ${fence} after ${attempt} attempts`,
  },
  {
    code: 'failures-beyond-attempts',
    repairable: false,
    broken: ({ failures, attempt }) => failures > attempt,
    message: ({ failures, attempt }) => `has ${failures} failures in ${attempt} attempts`,
  },
  {
    code: 'strikes-beyond-attempts',
    repairable: false,
    broken: ({ strikes, attempt }) => strikes > attempt,
    message: ({ strikes, attempt }) => `has ${strikes} strikes in ${attempt} attempts`,
  },
]

const ENDS: readonly Check[] = [
  {
    code: 'running-without-holder',
    repairable: true,
    broken: ({ state, holder }) => state === 'running' && holder === null,
    message: () => 'is running, but nobody holds it',
  },
  {
    code: 'holder-without-running',
    repairable: true,
    broken: ({ state, holder }) => state !== 'running' && holder !== null,
    message: ({ state }) => `is ${state}, but somebody holds it`,
  },
  {
    code: 'deadline-without-running',
    repairable: true,
    broken: ({ state, deadlineAt }) => state !== 'running' && deadlineAt !== null,
    message: ({ state }) => `is ${state}, but has a deadline`,
  },
  {
    code: 'final-without-finished-at',
    repairable: true,
    broken: ({ state, finishedAt }) => isFinal(state) && finishedAt === null,
    message: ({ state }) => `is ${state}, but has not finished`,
  },
  {
    code: 'finished-at-without-final',
    repairable: true,
    broken: ({ state, finishedAt }) => !isFinal(state) && finishedAt !== null,
    message: ({ state }) => `is ${state}, but has finished`,
  },
  {
    code: 'cancel-forgotten',
    repairable: true,
    broken: ({ state, cancelRequestedAt }) => cancelRequestedAt !== null && !KEEPS_CANCEL.has(state),
    message: ({ state }) => `is ${state}, but was asked to cancel`,
  },
  {
    code: 'cancelled-without-request',
    repairable: true,
    broken: ({ state, cancelRequestedAt }) => state === 'cancelled' && cancelRequestedAt === null,
    message: () => 'is cancelled, but nobody asked for it',
  },
  {
    code: 'cancel-incomplete',
    repairable: true,
    broken: ({ cancelRequestedAt, cancelledBy, cancelReason }) =>
      (cancelRequestedAt === null) !== (cancelledBy === null) || (cancelledBy === null && cancelReason !== null),
    message: () => 'knows only a part of when, by whom and why it was asked to cancel',
  },
  {
    code: 'completed-with-phases-left',
    repairable: false,
    broken: ({ state, phase, phaseCount }) => state === 'completed' && phase < phaseCount,
    message: ({ phase, phaseCount }) => `is completed with ${phase} of ${phaseCount} phases done`,
  },
  {
    code: 'completed-below-full',
    repairable: true,
    broken: ({ state, progress }) => state === 'completed' && progress < 100,
    message: ({ progress }) => `is completed with a progress of ${progress}`,
  },
]

const KEEPS_CANCEL: ReadonlySet<JobState> = new Set(['running', 'completed', 'cancelled'])

const HISTORY: readonly Check[] = [
  {
    code: 'scheduled-after-start',
    repairable: false,
    broken: ({ state, attempt }) => state === 'scheduled' && attempt > 0,
    message: ({ attempt }) => `is scheduled after ${attempt} attempts`,
  },
  {
    code: 'retrying-without-failure',
    repairable: false,
    broken: ({ state, failures }) => state === 'retrying' && failures === 0,
    message: () => 'is retrying without a failure',
  },
  {
    code: 'attempt-without-start',
    repairable: false,
    broken: ({ attempt, startedAt }) => attempt > 0 && startedAt === null,
    message: ({ attempt }) => `has ${attempt} attempts, but was never started`,
  },
  {
    code: 'start-without-attempt',
    repairable: false,
    broken: ({ state, attempt, startedAt }) => attempt === 0 && (startedAt !== null || state === 'running'),
    message: () => 'was started, but has no attempt',
  },
  {
    code: 'phase-without-start',
    repairable: false,
    broken: ({ state, phaseStartedAt }) => state === 'running' && phaseStartedAt === null,
    message: () => 'is running a phase that has not begun',
  },
  {
    code: 'started-early',
    repairable: false,
    broken: (job) => mustHaveStartedInTime(job) && job.startedAt !== null && job.startedAt < job.runAt,
    message: ({ startedAt, runAt }) => `was started at ${startedAt}, before its time ${runAt}`,
  },
  {
    code: 'instants-out-of-order',
    repairable: false,
    broken: (job) => disorder(job) !== undefined,
    message: (job) => `has ${disorder(job)}`,
  },
  {
    code: 'results-mismatch',
    repairable: false,
    broken: ({ results, phase, phaseCount }) =>
      results !== undefined && results !== phase && !(phaseCount === 1 && results === 0),
    message: ({ results, phase }) => `has ${phase} phases done, but ${results} results`,
  },
  {
    code: 'events-gap',
    repairable: false,
    broken: ({ events, eventSeq }) =>
      events !== undefined && (events.count !== eventSeq || events.lastSeq !== eventSeq),
    message: ({ events, eventSeq }) =>
      `has told ${eventSeq} events, but its log holds ${events?.count} to ${events?.lastSeq}`,
  },
  {
    code: 'final-events-mismatch',
    repairable: false,
    broken: ({ events, state }) => events !== undefined && events.finals !== (isFinal(state) ? 1 : 0),
    message: ({ events, state }) => `is ${state}, but its log holds ${events?.finals} final events of this generation`,
  },
]

const CHECKS: readonly Check[] = [...FIELDS, ...ENDS, ...HISTORY]

const INSTANTS = ['runAt', 'createdAt'] as const
const OPTIONAL_INSTANTS = ['startedAt', 'phaseStartedAt', 'finishedAt', 'deadlineAt', 'cancelRequestedAt'] as const

function missingField(job: ValidatedJob): string | undefined {
  if (job.id === '') return 'id'
  const lost = job.missing?.[0] ?? INSTANTS.find((name) => !Number.isFinite(job[name]))
  return lost ?? OPTIONAL_INSTANTS.find((name) => job[name] !== null && !Number.isFinite(job[name]))
}

const COUNTERS = ['attempt', 'failures', 'strikes', 'fence', 'generation', 'eventSeq'] as const

function invalidCounter(job: ValidatedJob): string | undefined {
  const name = COUNTERS.find((counter) => !isCount(job[counter]))
  return name === undefined ? undefined : `${name} ${job[name]}`
}

function isCount(count: number): boolean {
  return Number.isInteger(count) && count >= 0
}

/** Each of these, where both have happened, happened in this order: the clock of a store does not run back. */
const ORDERED = [
  ['createdAt', 'startedAt'],
  ['startedAt', 'phaseStartedAt'],
  ['startedAt', 'cancelRequestedAt'],
  ['startedAt', 'finishedAt'],
  ['cancelRequestedAt', 'finishedAt'],
  ['createdAt', 'finishedAt'],
  ['createdAt', 'cancelRequestedAt'],
] as const satisfies readonly (readonly [keyof JobRow, keyof JobRow])[]

/** In other states the time to come may be that of the next attempt. */
function mustHaveStartedInTime({ state }: JobRow): boolean {
  return state === 'running' || state === 'completed'
}

/**
 * Transactions that overlap may read a server's clock in another order than they are committed in. Instants that are out of order by no more
 * than so much are as good as equal, and become it.
 */
export function forgiveDisorder<Job extends JobRow>(job: Job, slackMs: number): Job {
  const near = (first: number | null, second: number | null): boolean =>
    first !== null && second !== null && second < first && second + slackMs >= first
  const forgiven = { ...job }
  if (mustHaveStartedInTime(job) && near(job.runAt, job.startedAt)) Object.assign(forgiven, { startedAt: job.runAt })
  for (const [earlier, later] of ORDERED) {
    if (near(forgiven[earlier], forgiven[later])) Object.assign(forgiven, { [later]: forgiven[earlier] })
  }
  return forgiven
}

function disorder(job: ValidatedJob): string | undefined {
  for (const [earlier, later] of ORDERED) {
    const [first, second] = [job[earlier], job[later]]
    if (first !== null && second !== null && second < first)
      return `its ${later} ${second} before its ${earlier} ${first}`
  }
  return undefined
}
