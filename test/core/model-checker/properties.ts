/** What must hold, by name: of every step that changed the job, and of every world. */
import { FINAL_EVENTS } from '../../../src/core/events.ts'
import type { EventName } from '../../../src/core/events.ts'
import type { JobRow } from '../../../src/core/job-row.ts'
import type { AttemptOutcome } from '../../../src/core/plan.ts'
import { isFinal, mayMove } from '../../../src/core/states.ts'
import type { JobCommand, JobState } from '../../../src/core/states.ts'
import { validateJob } from '../../../src/core/validation.ts'
import type { Act } from './acts.ts'
import type { Bounds, World } from './world.ts'

/** A plan that applied. */
export interface Step {
  readonly act: Act
  readonly command: JobCommand
  readonly before: World
  readonly after: World
  readonly event: EventName | null
  readonly ends: AttemptOutcome | null
  readonly bounds: Bounds
}

export interface Property<Subject> {
  readonly name: string
  readonly holds: (subject: Subject) => boolean
}

export const ANSWER = 'every plan has a case for every job'
export const LIVENESS = 'from everywhere a final state can be reached without a person'

const FORCED: ReadonlySet<JobCommand> = new Set(['force-fail', 'force-reset'])
const FENCING: ReadonlySet<JobCommand> = new Set(['claim', 'reap', 'time-out', 'force-fail', 'force-reset', 'retry'])

function rows({ before, after }: Step): { readonly old: JobRow; readonly row: JobRow } {
  return { old: before.row, row: after.row }
}

function eventOf(state: JobState): EventName {
  return state === 'running' ? 'job:started' : `job:${state}`
}

export const STEP_PROPERTIES: readonly Property<Step>[] = [
  {
    name: 'a write under a claim that is not the current one changes nothing',
    holds: ({ act, before }) => act.handler === undefined || act.handler === before.handler,
  },
  { name: 'whoever may not, changes nothing', holds: ({ act }) => act.by !== 'stranger' },
  {
    name: 'every move is one of the state machine',
    holds: ({ command, before, after }) => mayMove(command, before.row.state, after.row.state),
  },
  { name: 'the fence never falls', holds: (step) => rows(step).row.fence >= rows(step).old.fence },
  {
    name: 'whoever takes the job, or ends its attempt from outside, raises the fence',
    holds: (step) => !FENCING.has(step.command) || rows(step).row.fence > rows(step).old.fence,
  },
  {
    name: 'a final job stays as it is until it is retried or reset',
    holds: ({ command, before }) => !isFinal(before.row.state) || command === 'retry' || command === 'force-reset',
  },
  {
    name: 'a new generation begins exactly where a final job goes on',
    holds: (step) => rows(step).row.generation - rows(step).old.generation === Number(isFinal(rows(step).old.state)),
  },
  {
    name: 'a pending cancel ends in cancelled or completed, unless an admin forces the job',
    holds: (step) => {
      const { old, row } = rows(step)
      if (old.state !== 'running' || old.cancelRequestedAt === null || FORCED.has(step.command)) return true
      return row.cancelRequestedAt !== null && ['running', 'cancelled', 'completed'].includes(row.state)
    },
  },
  {
    name: 'the first to cancel stays the one who did, and is told once',
    holds: (step) => {
      const { old, row } = rows(step)
      if (old.cancelRequestedAt === null || row.cancelRequestedAt === null) return true
      const same = row.cancelRequestedAt === old.cancelRequestedAt && row.cancelledBy === old.cancelledBy
      return same && step.event !== 'job:cancel-requested'
    },
  },
  {
    name: 'a cancel that was accepted is told and kept',
    holds: (step) => {
      const { row } = rows(step)
      if (step.command !== 'cancel') return true
      const told = row.state === 'running' ? 'job:cancel-requested' : 'job:cancelled'
      return row.cancelRequestedAt !== null && step.event === told
    },
  },
  {
    name: 'failures are counted by failures and time-outs alone, and begin again with a retry or reset',
    holds: (step) => {
      const { old, row } = rows(step)
      if (step.command === 'retry' || step.command === 'force-reset') return row.failures === 0
      const counts = (step.command === 'fail' || step.command === 'time-out') && row.state !== 'cancelled'
      return row.failures === old.failures + Number(counts)
    },
  },
  {
    name: 'every claim is an attempt, and nothing else is',
    holds: (step) => rows(step).row.attempt === rows(step).old.attempt + Number(step.command === 'claim'),
  },
  {
    name: 'strikes and suspicion come from reaping, and a finished phase, retry or reset clears them',
    holds: strikesAreRight,
  },
  {
    name: 'only a job with all its strikes is poison',
    holds: ({ act, command, after: { row }, bounds }) => {
      if (act.plan.name === 'reap-stuck') return true
      const struckOut = row.strikes >= bounds.maxStrikes
      return command !== 'reap' || (row.state === 'failed') === struckOut
    },
  },
  {
    name: 'a live session keeps its job',
    holds: ({ command, before }) =>
      command !== 'reap' ||
      !before.workers.some(({ holder, health }) => holder === before.row.holder && health === 'alive'),
  },
  {
    name: 'an attempt has the time it was given, from its claim or the latest extension on',
    holds: (step) => {
      const { timeoutMs } = step.act.values
      if (timeoutMs === undefined || !rows(step).row.holder) return true
      return rows(step).row.deadlineAt === (timeoutMs === null ? null : step.before.now + timeoutMs)
    },
  },
  {
    name: 'a phase begins with a claim or with the end of the one before',
    holds: (step) => {
      const { old, row } = rows(step)
      if (step.command === 'claim' || step.command === 'checkpoint') return row.phaseStartedAt === step.before.now
      if (step.command === 'retry' || step.command === 'force-reset') return row.phaseStartedAt === null
      return row.phaseStartedAt === old.phaseStartedAt
    },
  },
  {
    name: 'a job that people start again is due from then on',
    holds: ({ command, before, after }) =>
      !['retry', 'force-reset', 'run-now'].includes(command) || after.row.runAt === before.now,
  },
  {
    name: 'an attempt has all of its time',
    holds: ({ command, before: { row, now } }) =>
      command !== 'time-out' || (row.deadlineAt !== null && row.deadlineAt <= now),
  },
  {
    name: 'a job waits for its time',
    holds: ({ command, before: { row, now } }) => command !== 'promote' || row.runAt <= now,
  },
  {
    name: 'a job that fails waits before it is tried again, and others wait no longer',
    holds: ({ after: { row, now } }) => {
      if (row.state === 'retrying') return row.runAt > now
      return row.state !== 'queued' || row.runAt <= now
    },
  },
  {
    name: 'what a holder knows changes only by its own hand',
    holds: ({ act, before, after }) =>
      !(before.held && after.held) ||
      act.handler !== undefined ||
      (before.row.phase === after.row.phase && before.row.failures === after.row.failures),
  },
  {
    name: 'progress never falls within an attempt, and an attempt begins at the share of the phases done',
    holds: (step) => {
      const { old, row } = rows(step)
      if (step.command === 'claim') return row.progress === (100 * row.phase) / row.phaseCount
      if (step.command === 'retry' || step.command === 'force-reset')
        return row.progress === (100 * row.phase) / row.phaseCount
      return row.progress >= old.progress && (row.state !== 'running' || keepsProgress(step))
    },
  },
  {
    name: 'a phase result is written once a generation, and is of that phase',
    holds: ({ after }) => after.results.every((phase, index) => phase === index),
  },
  {
    name: 'the event sequence has no gap',
    holds: (step) => rows(step).row.eventSeq === rows(step).old.eventSeq + Number(step.event !== null),
  },
  {
    name: 'every move is told by the event of its state',
    holds: (step) => {
      const { old, row } = rows(step)
      if (old.state !== row.state || step.command === 'force-reset') return step.event === eventOf(row.state)
      return step.event === null || !MOVES.has(step.event)
    },
  },
  {
    name: 'what a handler has to tell is told',
    holds: ({ act, event }) => TOLD[act.plan.name] === undefined || TOLD[act.plan.name] === event,
  },
  {
    name: 'an attempt that ends other than completed leaves its outcome',
    holds: (step) => {
      const ended = rows(step).old.state === 'running' && !['running', 'completed'].includes(rows(step).row.state)
      return (step.ends !== null) === ended && (!ended || outcomeFits(step))
    },
  },
]

const MOVES: ReadonlySet<EventName> = new Set([
  'job:queued',
  'job:started',
  'job:retrying',
  'job:completed',
  'job:failed',
  'job:cancelled',
])

const TOLD: Readonly<Record<string, EventName>> = {
  checkpoint: 'phase:completed',
  'progress-told': 'job:progress',
  log: 'job:log',
  artifact: 'artifact:written',
}

/** What is told is kept, unless more had been told before. */
function keepsProgress({ command, act, after }: Step): boolean {
  const told = command === 'checkpoint' || act.plan.name === 'progress' || act.plan.name === 'progress-told'
  return !told || after.row.progress >= (act.values.progress ?? 0)
}

function strikesAreRight(step: Step): boolean {
  const { old, row } = rows(step)
  if (['checkpoint', 'retry', 'force-reset'].includes(step.command)) return row.strikes === 0 && !row.suspect
  if (step.command === 'complete') return row.strikes === old.strikes && !row.suspect
  const judged = step.command === 'reap' && step.act.plan.name !== 'reap-stuck' && row.state !== 'cancelled'
  if (!judged) return row.strikes === old.strikes && row.suspect === old.suspect
  if (step.act.plan.name === 'reap') return !old.suspect && !row.suspect && row.strikes === old.strikes
  return row.suspect && row.strikes === old.strikes + Number(old.suspect)
}

const OUTCOMES: Readonly<Partial<Record<JobCommand, AttemptOutcome>>> = {
  fail: 'failed',
  release: 'released',
  reap: 'lost',
  'time-out': 'timed-out',
  'force-fail': 'forced',
  'force-reset': 'forced',
  'end-of-grace': 'cancelled',
}

function outcomeFits({ command, after, ends }: Step): boolean {
  return ends === (after.row.state === 'cancelled' ? 'cancelled' : OUTCOMES[command])
}

function isSound({ row, results, told, finals }: World): boolean {
  return validateJob({ ...row, results: results.length, events: { count: told, lastSeq: told, finals } }).length === 0
}

export const WORLD_PROPERTIES: readonly Property<World>[] = [
  {
    name: 'a generation has one final event once it is over, and none before',
    holds: ({ row, finals }) => finals === Number(isFinal(row.state)),
  },
  {
    name: 'the row names a holder exactly while a claim holds the job',
    holds: ({ row, held }) => (row.holder !== null) === held,
  },
  {
    name: 'no two unfinished jobs hold one unique key',
    holds: ({ row, rivalHoldsKey }) => !rivalHoldsKey || isFinal(row.state),
  },
  {
    name: 'every phase that is done has its result',
    holds: ({ row, results }) => row.phaseCount === 1 || row.phase === results.length,
  },
  {
    name: 'a completed job has all its phases done',
    holds: ({ row }) => row.state !== 'completed' || row.phase === row.phaseCount,
  },
  { name: 'every invariant of a job holds', holds: isSound },
]

export function isFinalEvent(event: EventName | null): boolean {
  return (FINAL_EVENTS as readonly (EventName | null)[]).includes(event)
}
