/**
 * Why is this job not running? One answer from what a store can tell, with every reason that stands in the way, the heaviest first: what
 * nobody will change unasked comes before what only needs a worker, and that before what only needs time.
 */
import { formatDuration } from './duration.ts'
import type { FinalState, JobState } from './states.ts'

/** What the store knows about one job and what it waits for. Instants are epoch milliseconds by the store's clock. */
export interface WaitingFacts {
  readonly now: number
  readonly state: JobState
  readonly runAt: number
  readonly finishedAt: number | null
  readonly type: string
  readonly queue: string
  /** The service that owns the type; null: none has registered it. */
  readonly service: string | null
  /** Null: the queue is not paused. */
  readonly paused: Act | null
  /** Live workers that take jobs of the type. */
  readonly workers: LiveWorkers
  /** Live workers of the service that don't. */
  readonly bystanders: Bystanders
  /** Queued jobs of the type that come before this one. */
  readonly jobsAhead: number
  /** Null: nobody holds the job. */
  readonly holder: HolderFacts | null
  /** When the running attempt has had its time; null: no limit, or not running. */
  readonly deadlineAt: number | null
  /** A cancellation that was asked for, carried out or not; null: none. */
  readonly cancel: Act | null
  readonly failures: number
  readonly maxAttempts: number
  /** It was in flight when a worker died: a worker runs one such job at a time. */
  readonly suspect: boolean
  /** Message of the latest attempt's error; null: there was none. */
  readonly lastError: string | null
  /** The other unfinished job that holds this job's unique key; null: none does. */
  readonly uniqueHeldBy: string | null
}

export interface Act {
  readonly at: number
  readonly by: string
}

export interface LiveWorkers {
  readonly count: number
  /** Jobs they could take now, over all of them; null: not for this caller to know, since it tells of what others do. */
  readonly freeSlots: number | null
}

export interface Bystanders {
  /** They have no handler for the type. */
  readonly withoutHandler: number
  /** They were started before the type was handed over to their service. */
  readonly outdated: number
  /** They have a handler for the type, but are being stopped, and take no more jobs. */
  readonly draining: number
}

export interface HolderFacts {
  readonly service: string
  readonly host: string
  readonly pid: number
  /** When it took the job. */
  readonly since: number
  readonly fence: number
  /** Whether its lease, or its lock, still runs. */
  readonly alive: boolean
  /** Since when its event loop has stood still; null: it turns, as far as is known. */
  readonly blockedSince: number | null
  /** The lock of somebody who drives the job by hand; absent: a worker runs it. */
  readonly lock?: LockFacts
}

export interface LockFacts {
  readonly by: string
  readonly expiresAt: number
  /** When the job is stuck, unless something is written before. */
  readonly stuckAt: number
}

/**
 * | code | the job … |
 * |---|---|
 * | `no-owner` | waits, and no service has registered its type |
 * | `queue-paused` | waits in a queue that somebody paused |
 * | `no-worker` | waits, and no worker of the owning service lives |
 * | `worker-draining` | waits, and the live workers that handle it are being stopped |
 * | `worker-outdated` | waits, and the workers that handle it were started before its type was handed over |
 * | `worker-lacks-type` | waits, and the live workers of the owning service have no handler for its type |
 * | `scheduled` | waits for its time |
 * | `backoff` | failed, and waits before the next attempt |
 * | `no-free-slot` | waits, and every live worker is full |
 * | `suspect` | waits until a worker runs no other suspect |
 * | `jobs-ahead` | waits behind others of its type |
 * | `due` | has come due, and will be queued by the next claim or sweep |
 * | `ready` | is queued with nothing in its way |
 * | `holder-lost` | is held by a worker whose lease has run out, or by hand under a lock that has |
 * | `holder-blocked` | runs at a worker whose event loop stands still |
 * | `overdue` | runs past its deadline |
 * | `stopping` | runs, and has been asked to stop |
 * | `running` | runs |
 * | `completed`, `failed`, `cancelled` | is over |
 * | `unique-held` | is over, and can't be retried while another job holds its unique key |
 */
export type ReasonCode =
  | 'no-owner'
  | 'queue-paused'
  | 'no-worker'
  | 'worker-draining'
  | 'worker-outdated'
  | 'worker-lacks-type'
  | 'scheduled'
  | 'backoff'
  | 'no-free-slot'
  | 'suspect'
  | 'jobs-ahead'
  | 'due'
  | 'ready'
  | 'holder-lost'
  | 'holder-blocked'
  | 'overdue'
  | 'stopping'
  | 'running'
  | 'completed'
  | 'failed'
  | 'cancelled'
  | 'unique-held'

export interface Reason {
  readonly code: ReasonCode
  /** One sentence for people. */
  readonly message: string
  /** What can be done about it; absent: nothing needs to be. */
  readonly action?: string
}

export interface Explanation {
  readonly state: JobState
  /** One sentence: the state and the heaviest reason. */
  readonly summary: string
  /** At least one, the heaviest first. */
  readonly reasons: readonly Reason[]
}

/** Why the job is not running, or, where it does, who runs it. */
export function explainWaiting(facts: WaitingFacts): Explanation {
  const reasons = reasonsFor(facts)
  const others = reasons.length - 1
  const more = others === 0 ? '' : ` (and ${counted(others, 'more reason')})`
  const summary = `The job is ${facts.state}: ${reasons[0].message}${more}.`
  return { state: facts.state, summary, reasons: reasons.map(asSentence) }
}

/** Messages in here begin small and end without a full stop, so that the summary can hold them too. */
type Reasons = readonly [Reason, ...Reason[]]

function asSentence(reason: Reason): Reason {
  return { ...reason, message: `${reason.message.charAt(0).toUpperCase()}${reason.message.slice(1)}.` }
}

function reasonsFor(facts: WaitingFacts): Reasons {
  switch (facts.state) {
    case 'scheduled':
    case 'queued':
    case 'retrying':
      return whyWaiting(facts)
    case 'running':
      return whoRuns(facts)
    case 'completed':
    case 'failed':
    case 'cancelled':
      return whyOver(facts, facts.state)
  }
}

type Rule = (facts: WaitingFacts) => Reason | null

/** In the order of their weight. */
const OBSTACLES: readonly Rule[] = [noOwner, queuePaused, noWorker, notDue, noFreeSlot, suspect, jobsAhead, due]

function ready({ workers }: WaitingFacts): Reason {
  if (workers.freeSlots !== null)
    return { code: 'ready', message: 'nothing stands in its way, and the next claim takes it' }
  return {
    code: 'ready',
    message: 'nothing that you may see stands in its way, and a worker takes it with its next free slot',
  }
}

function whyWaiting(facts: WaitingFacts): Reasons {
  return heaviestFirst(
    OBSTACLES.map((rule) => rule(facts)),
    ready(facts),
  )
}

function noOwner({ service, type }: WaitingFacts): Reason | null {
  if (service !== null) return null
  const action = `Start a worker with a handler for "${type}".`
  return { code: 'no-owner', message: `no service has registered its type "${type}"`, action }
}

function queuePaused({ paused, queue, now }: WaitingFacts): Reason | null {
  if (paused === null) return null
  const message = `its queue "${queue}" was paused by ${paused.by} ${ago(now, paused.at)}`
  return { code: 'queue-paused', message, action: `Resume the queue "${queue}".` }
}

function noWorker({ service, type, workers, bystanders }: WaitingFacts): Reason | null {
  if (service === null || workers.count > 0) return null
  const { draining, outdated, withoutHandler } = bystanders
  if (draining > 0) {
    const verb = draining === 1 ? 'is' : 'are'
    const message = `${counted(draining, 'live worker')} of "${service}" that could take it ${verb} being stopped, and no other lives`
    return { code: 'worker-draining', message, action: `Start another worker of the service "${service}".` }
  }
  if (outdated > 0) {
    const message = `${counted(outdated, 'live worker')} of "${service}" handled "${type}" before it was handed over`
    return { code: 'worker-outdated', message, action: `Start the workers of the service "${service}" anew.` }
  }
  if (withoutHandler > 0) {
    const message = `no handler for "${type}" is among those of ${counted(withoutHandler, 'live worker')} of "${service}"`
    return { code: 'worker-lacks-type', message, action: `Give the handler to a worker of the service "${service}".` }
  }
  const message = `no worker of the service "${service}" that handles "${type}" is alive`
  return { code: 'no-worker', message, action: `Start a worker of the service "${service}".` }
}

function notDue({ state, runAt, now, failures, maxAttempts, lastError }: WaitingFacts): Reason | null {
  if (state === 'queued' || runAt <= now) return null
  const wait = formatDuration(runAt - now)
  const action = 'Wait, or run it now.'
  if (state === 'scheduled') return { code: 'scheduled', message: `its time comes in ${wait}`, action }
  const failed = `it has failed ${failures} of at most ${counted(maxAttempts, 'time')}${because(lastError)}`
  return { code: 'backoff', message: `${failed}, and is tried again in ${wait}`, action }
}

function noFreeSlot({ workers }: WaitingFacts): Reason | null {
  if (workers.count === 0 || workers.freeSlots !== 0) return null
  const message = `every slot of ${counted(workers.count, 'live worker')} is taken`
  return { code: 'no-free-slot', message, action: 'Wait, raise the concurrency, or start another worker.' }
}

function suspect(facts: WaitingFacts): Reason | null {
  if (!facts.suspect) return null
  return {
    code: 'suspect',
    message: 'a worker died while running it, so a worker takes it only beside no other such job',
  }
}

function jobsAhead(facts: WaitingFacts): Reason | null {
  const { state, jobsAhead: ahead, workers } = facts
  if (state !== 'queued' || ahead === 0 || ahead < (workers.freeSlots ?? 0)) return null
  const verb = ahead === 1 ? 'comes' : 'come'
  return { code: 'jobs-ahead', message: `${counted(ahead, 'queued job')} of its type ${verb} before it` }
}

function due({ state, runAt, now }: WaitingFacts): Reason | null {
  if (state === 'queued' || runAt > now) return null
  return {
    code: 'due',
    message: `its time came ${ago(now, runAt)}, and the next claim or sweep puts it into the queue`,
  }
}

/** What is wrong with the run comes before who runs it. */
function whoRuns(facts: WaitingFacts): Reasons {
  const holder = runningHolder(facts)
  return heaviestFirst([holderLost(facts), overdue(facts), stopping(facts), holderBlocked(facts), holder], holder)
}

function runningHolder({ holder, now }: WaitingFacts): Reason {
  if (holder === null) return { code: 'running', message: 'nobody is known to run it' }
  const { service, host, pid, since, fence, lock } = holder
  if (lock !== undefined) {
    const place = `"${service}" on ${host}, process ${pid}, fence ${fence}`
    return { code: 'running', message: `${lock.by} drives it by hand, having taken it ${ago(now, since)} (${place})` }
  }
  return {
    code: 'running',
    message: `"${service}" on ${host} (process ${pid}, fence ${fence}) took it ${ago(now, since)}`,
  }
}

function holderLost({ holder, now }: WaitingFacts): Reason | null {
  if (holder?.alive === true) return null
  if (holder?.lock !== undefined) return lockLost(holder.lock, now)
  return { code: 'holder-lost', message: 'the lease of its worker has run out, and the next sweep takes the job back' }
}

function holderBlocked({ holder, now }: WaitingFacts): Reason | null {
  if (holder === null || !holder.alive || holder.blockedSince === null) return null
  const message = `the event loop of its worker has stood still for ${formatDuration(now - holder.blockedSince)}`
  const action = 'Wait for the end of its time, and let the handler give up the thread now and then.'
  return { code: 'holder-blocked', message, action }
}

function lockLost({ by, expiresAt, stuckAt }: LockFacts, now: number): Reason {
  const over = `the lock of ${by} ran out ${ago(now, expiresAt)}`
  const action = `Ask ${by}, or put the job back by force.`
  if (stuckAt <= now) return { code: 'holder-lost', message: `${over}, and the next sweep takes the job back`, action }
  const left = formatDuration(stuckAt - now)
  return {
    code: 'holder-lost',
    message: `${over}, and the job is taken back in ${left} unless ${by} writes before`,
    action,
  }
}

function overdue({ deadlineAt, now }: WaitingFacts): Reason | null {
  if (deadlineAt === null || deadlineAt > now) return null
  return { code: 'overdue', message: `its attempt had to end ${ago(now, deadlineAt)}, and the next sweep ends it` }
}

function stopping({ cancel, now }: WaitingFacts): Reason | null {
  if (cancel === null) return null
  return { code: 'stopping', message: `${cancel.by} asked it to stop ${ago(now, cancel.at)}` }
}

function whyOver(facts: WaitingFacts, state: FinalState): Reasons {
  const ending: Reason = { code: state, message: ENDINGS[state](facts), action: 'Retry it to run it again.' }
  if (facts.uniqueHeldBy === null) return [ending]
  const message = `it can't be retried while job ${facts.uniqueHeldBy} holds its unique key`
  return [ending, { code: 'unique-held', message, action: `Wait for job ${facts.uniqueHeldBy}, or cancel it.` }]
}

const ENDINGS: Readonly<Record<FinalState, (facts: WaitingFacts) => string>> = {
  completed: ({ now, finishedAt }) => `it completed ${ago(now, finishedAt)}`,
  failed: ({ now, finishedAt, failures, maxAttempts, lastError }) =>
    `it failed ${ago(now, finishedAt)}, with ${failures} of at most ${counted(maxAttempts, 'failure')}${because(lastError)}`,
  cancelled: ({ now, finishedAt, cancel }) => `it was cancelled by ${cancel?.by ?? 'system'} ${ago(now, finishedAt)}`,
}

function heaviestFirst(found: readonly (Reason | null)[], otherwise: Reason): Reasons {
  const [heaviest, ...lighter] = found.filter((reason) => reason !== null)
  return heaviest === undefined ? [otherwise] : [heaviest, ...lighter]
}

function ago(now: number, at: number | null): string {
  if (at === null) return 'at an unknown time'
  return at >= now ? 'just now' : `${formatDuration(now - at)} ago`
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

const SHOWN_ERROR_CHARACTERS = 200

/** The beginning of an error's message, on one line. */
function because(message: string | null): string {
  if (message === null) return ''
  const line = message.replaceAll(/\s+/g, ' ').trim()
  const shown = line.length > SHOWN_ERROR_CHARACTERS ? `${line.slice(0, SHOWN_ERROR_CHARACTERS)}…` : line
  return ` ("${shown}")`
}
