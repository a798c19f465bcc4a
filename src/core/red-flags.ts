/**
 * Signs that something is wrong with the way jobs are worked on, which no single job shows. Rules over what a store can tell cheaply: the
 * registry, the sessions, and the jobs that ended last. `docs/how-to/ownership.md` explains the same list; a test compares the two.
 */
import { formatDuration } from './duration.ts'
import { worksOn } from './ownership.ts'
import type { Ownership, Working } from './ownership.ts'

/**
 * | code | what it says |
 * |---|---|
 * | `no-owner` | jobs of the type wait, and no service has registered it |
 * | `no-worker` | jobs of the type are due, and no live worker takes them |
 * | `two-services` | another service than the owner tried to work on the type |
 * | `too-fast` | jobs completed faster than the definition expects |
 * | `no-output` | jobs completed without the output that the definition declares |
 * | `outcome-flips` | jobs fail on one service, version or host, and not on another |
 * | `entity-unfinished` | a job is over, and what it was about is not |
 */
export type RedFlagCode =
  | 'no-owner'
  | 'no-worker'
  | 'two-services'
  | 'too-fast'
  | 'no-output'
  | 'outcome-flips'
  | 'entity-unfinished'

export interface RedFlag {
  readonly code: RedFlagCode
  readonly type: string
  /** Of the flag, or an example of it. */
  readonly jobId?: string
  readonly service?: string
  /** One sentence for people. */
  readonly message: string
  /** What can be done about it. */
  readonly action: string
}

/** Instants are epoch milliseconds by the store's clock. */
export interface Evidence {
  readonly now: number
  readonly types: readonly TypeEvidence[]
  /** Sessions that live. */
  readonly sessions: readonly Working[]
  readonly refusals: readonly { readonly type: string; readonly service: string; readonly refusedAt: number }[]
  /** The jobs that completed or failed last. */
  readonly ended: readonly EndedEvidence[]
  /** Jobs whose entities were found unfinished. */
  readonly entities: readonly EntityEvidence[]
}

export interface TypeEvidence extends Ownership {
  readonly expect: Expectation
  /** `due`: jobs wait for nothing but a worker. `later`: they wait for their time. */
  readonly waiting: 'none' | 'later' | 'due'
}

/** What a definition says of the jobs that complete. */
export interface Expectation {
  /** Null: they may be as fast as they like. */
  readonly minDurationMs: number | null
  /** They have an output that is not null. */
  readonly output: boolean
}

export interface EndedEvidence {
  readonly jobId: string
  readonly type: string
  readonly state: 'completed' | 'failed'
  readonly endedAt: number
  /** From the start to the end, of a job that ended with its first attempt; null: of any other. */
  readonly durationMs: number | null
  readonly hasOutput: boolean
  /** Who ran it last; null: it is not known. */
  readonly worker: { readonly service: string; readonly host: string; readonly version: string | null } | null
}

export interface EntityEvidence {
  readonly jobId: string
  readonly type: string
  readonly endedAt: number
  readonly status: string
}

const HOUR = 3_600_000
/** How long what happened once is told. */
export const RED_FLAG_WINDOW_MS: number = 24 * HOUR
/** Of each of two services, versions or hosts, before they are compared. */
export const FLIP_SAMPLES = 10
/** The difference between two shares of failures, from 0 to 1, that is no chance any more. */
const FLIP_DIFFERENCE = 0.5

/** All that is wrong, by type. */
export function redFlagsOf(evidence: Evidence): readonly RedFlag[] {
  const recent = evidence.ended.filter(({ endedAt }) => endedAt > evidence.now - RED_FLAG_WINDOW_MS)
  const byType = Map.groupBy(recent, ({ type }) => type)
  return evidence.types.flatMap((type) => {
    const ended = byType.get(type.type) ?? []
    const alone = [noOwner(type), noWorker(type, evidence), tooFast(type, ended), noOutput(type, ended)]
    return [...alone.filter((flag) => flag !== null), ...outcomeFlips(type, ended), ...beside(type, evidence)]
  })
}

/**
 * Only the jobs since the oldest of each final state that was looked at: of a state that many jobs end in, the latest reach back less far, and
 * shares of jobs from different times say nothing.
 *
 * @param limit how many were asked for of each state
 */
export function sameWindow<Ended extends { readonly state: string; readonly endedAt: number }>(
  ended: readonly Ended[],
  limit: number,
): readonly Ended[] {
  const cut = [...Map.groupBy(ended, ({ state }) => state).values()].filter(({ length }) => length >= limit)
  const since = Math.max(0, ...cut.map((jobs) => Math.min(...jobs.map(({ endedAt }) => endedAt))))
  return ended.filter(({ endedAt }) => endedAt >= since)
}

/** Whether two flags speak of the same trouble, whatever their numbers: equal keys. */
export function redFlagKey({ code, type, service = '', jobId = '' }: RedFlag): string {
  return [code, type, service, code === 'entity-unfinished' ? jobId : ''].join(' ')
}

function noOwner({ type, service, waiting }: TypeEvidence): RedFlag | null {
  if (service !== null || waiting === 'none') return null
  return {
    code: 'no-owner',
    type,
    message: `Jobs of the type "${type}" wait, and no service has registered it.`,
    action: `Start a worker with a handler for "${type}", or stop enqueuing it.`,
  }
}

function noWorker(type: TypeEvidence, { sessions }: Evidence): RedFlag | null {
  const { service } = type
  if (service === null || type.waiting !== 'due' || sessions.some((session) => worksOn(session, type))) return null
  const older = sessions.filter((session) => session.service === service && session.types.includes(type.type))
  const [found, action] =
    older.length === 0
      ? [
          'no live worker of its service takes them',
          `Start a worker of the service "${service}" with a handler for it.`,
        ]
      : ['the live workers of its service were started before it was handed over', 'Start them anew.']
  return {
    code: 'no-worker',
    type: type.type,
    service,
    message: `Jobs of the type "${type.type}" are due, and ${found}.`,
    action,
  }
}

function tooFast({ type, expect: { minDurationMs } }: TypeEvidence, ended: readonly EndedEvidence[]): RedFlag | null {
  if (minDurationMs === null) return null
  const completed = ended.filter(({ state }) => state === 'completed')
  const fast = completed.filter(({ durationMs }) => durationMs !== null && durationMs < minDurationMs)
  const [example] = fast
  if (example === undefined) return null
  return {
    code: 'too-fast',
    type,
    jobId: example.jobId,
    message:
      `${fast.length} of the last ${completed.length} completed jobs of the type "${type}" took less than ` +
      `${formatDuration(minDurationMs)}, which its definition expects at least.`,
    action: `Look whether job ${example.jobId} did what it should.`,
  }
}

function noOutput({ type, expect }: TypeEvidence, ended: readonly EndedEvidence[]): RedFlag | null {
  if (!expect.output) return null
  const completed = ended.filter(({ state }) => state === 'completed')
  const empty = completed.filter(({ hasOutput }) => !hasOutput)
  const [example] = empty
  if (example === undefined) return null
  return {
    code: 'no-output',
    type,
    jobId: example.jobId,
    message: `${empty.length} of the last ${completed.length} completed jobs of the type "${type}" have no output, which its definition declares.`,
    action: `Look whether job ${example.jobId} did what it should, or let the schema of the output refuse null.`,
  }
}

/** Who or where a job ran: what may be told apart from another. */
const DIMENSIONS = {
  service: ({ worker }: EndedEvidence) => worker?.service ?? null,
  version: ({ worker }: EndedEvidence) => worker?.version ?? null,
  host: ({ worker }: EndedEvidence) => worker?.host ?? null,
} as const

interface Share {
  readonly name: string
  readonly jobs: number
  readonly failed: number
  readonly share: number
  readonly example: string | null
}

function outcomeFlips({ type }: TypeEvidence, ended: readonly EndedEvidence[]): readonly RedFlag[] {
  return Object.entries(DIMENSIONS).flatMap(([dimension, nameOf]): RedFlag[] => {
    const shares = sharesOf(ended, nameOf)
    const [best] = shares
    const worst = shares.at(-1)
    const example = worst?.example ?? null
    if (best === undefined || worst === undefined || example === null) return []
    if (worst.share - best.share < FLIP_DIFFERENCE) return []
    return [
      {
        code: 'outcome-flips',
        type,
        ...(dimension === 'service' ? { service: worst.name } : {}),
        jobId: example,
        message: `Of the last jobs of the type "${type}", ${told(worst)} failed on the ${dimension} "${worst.name}", and ${told(best)} on "${best.name}".`,
        action: `Find out what is different about the ${dimension} "${worst.name}".`,
      },
    ]
  })
}

function told({ failed, jobs }: Share): string {
  return `${failed} of ${jobs}`
}

/** Of those with enough jobs, the least failures first. */
function sharesOf(ended: readonly EndedEvidence[], nameOf: (job: EndedEvidence) => string | null): readonly Share[] {
  return [...Map.groupBy(ended, nameOf)]
    .flatMap(([name, jobs]): Share[] => {
      if (name === null || jobs.length < FLIP_SAMPLES) return []
      const failed = jobs.filter(({ state }) => state === 'failed')
      const share = failed.length / jobs.length
      return [{ name, jobs: jobs.length, failed: failed.length, share, example: failed[0]?.jobId ?? null }]
    })
    .toSorted((left, right) => left.share - right.share)
}

function beside({ type, service: owner }: TypeEvidence, { now, refusals, entities }: Evidence): readonly RedFlag[] {
  const refused = refusals
    .filter((refusal) => refusal.type === type && refusal.refusedAt > now - RED_FLAG_WINDOW_MS)
    .map(({ service, refusedAt }): RedFlag => ({
      code: 'two-services',
      type,
      service,
      message: `The service "${service}" tried to work on the type "${type}" ${formatDuration(now - refusedAt)} ago, and "${owner ?? 'nobody'}" owns it.`,
      action: `Take the handler out of "${service}", or hand the type over: millrace owners transfer ${type} --from ${owner ?? ''} --to ${service}`,
    }))
  const unfinished = entities
    .filter((entity) => entity.type === type)
    .map(({ jobId, status, endedAt }): RedFlag => ({
      code: 'entity-unfinished',
      type,
      jobId,
      message: `Job ${jobId} of the type "${type}" ended ${formatDuration(now - endedAt)} ago, and what it was about is still "${status}".`,
      action: `Look at job ${jobId}: bring its entity to an end, or retry the job.`,
    }))
  return [...refused, ...unfinished]
}
