/**
 * Judges a history after it has happened, from three witnesses who know nothing of each other: the log of the store, what handlers noted in
 * files of their own, and the results that were kept, each of which tells the claim it was made under. It asks four things, and in a sound
 * history the answer to each is nobody.
 */
import type { JobEvent } from '../../src/index.ts'

export interface History {
  /** The ids of jobs whose enqueue was answered. */
  readonly acknowledged: readonly string[]
  /** The whole log, in its order. */
  readonly events: readonly Pick<JobEvent, 'jobId' | 'name' | 'attempt' | 'detail'>[]
  readonly notes: readonly Note[]
  readonly accepted: readonly Accepted[]
}

/** A handler began or ended a phase, whatever the store made of it. */
export interface Note {
  readonly jobId: string
  readonly attempt: number
  readonly fence: number
  readonly phase: string
  readonly moment: 'enter' | 'leave'
  /** Milliseconds by a clock that all processes of the machine share. */
  readonly at: number
}

/** A result that the store has kept. */
export interface Accepted {
  readonly jobId: string
  readonly phase: string
  /** Of the claim it was made under. */
  readonly fence: number
}

/** A sentence for each. */
export interface Findings {
  /** Was answered for, and never came to an end. */
  readonly lost: readonly string[]
  /** Took effect twice. */
  readonly duplicated: readonly string[]
  /** Two claims on a job at once whose work was both accepted. */
  readonly overlapping: readonly string[]
  /** Was accepted from a claim that was not the job's present one. */
  readonly stale: readonly string[]
}

export const NO_FINDINGS: Findings = { lost: [], duplicated: [], overlapping: [], stale: [] }

export function checkHistory({ acknowledged, events, notes, accepted }: History): Findings {
  const eventsOf = Map.groupBy(events, ({ jobId }) => jobId)
  const notesOf = Map.groupBy(notes, ({ jobId }) => jobId)
  const acceptedOf = Map.groupBy(accepted, ({ jobId }) => jobId)
  const jobs = new Set([...eventsOf.keys(), ...notesOf.keys(), ...acceptedOf.keys()])
  const each = (check: (job: JobHistory) => readonly string[]): readonly string[] =>
    [...jobs].flatMap((id) =>
      check({
        id,
        events: eventsOf.get(id) ?? [],
        notes: notesOf.get(id) ?? [],
        accepted: acceptedOf.get(id) ?? [],
      }),
    )
  return {
    lost: acknowledged.filter((id) => !hasEnded(eventsOf.get(id) ?? [])).map((id) => `job ${id} has not ended`),
    duplicated: each(findDuplicates),
    overlapping: each(findOverlaps),
    stale: each(findStale),
  }
}

interface JobHistory extends Omit<History, 'acknowledged'> {
  readonly id: string
}

const FINAL: ReadonlySet<string> = new Set(['job:completed', 'job:failed', 'job:cancelled'])
/** What begins another generation, in which everything may happen once more. */
const RENEWALS: ReadonlySet<unknown> = new Set(['retry', 'force-reset'])

type Event = History['events'][number]

function isRenewal({ name, detail }: Event): boolean {
  return name === 'job:queued' && RENEWALS.has(detail['cause'])
}

function hasEnded(events: readonly Event[]): boolean {
  return events.findLastIndex(({ name }) => FINAL.has(name)) > events.findLastIndex(isRenewal)
}

function findDuplicates({ id, events, notes }: JobHistory): readonly string[] {
  const found: string[] = []
  const once = new Set<string>()
  const note = (what: string): void => {
    if (once.has(what)) found.push(`${what} of job ${id} twice`)
    once.add(what)
  }
  for (const event of events) {
    if (isRenewal(event)) once.clear()
    if (FINAL.has(event.name)) note('the end')
    if (event.name === 'phase:completed') note(`phase ${JSON.stringify(event.detail['phase'])}`)
  }
  once.clear()
  for (const { moment, phase, fence } of notes) if (moment === 'leave') note(`${phase} under fence ${fence}`)
  return found
}

interface Span extends Accepted {
  readonly from: number
  readonly to: number
}

/** From when a handler began what was accepted of it until it ended: those of two claims may not have a moment in common. */
function findOverlaps({ id, notes, accepted }: JobHistory): readonly string[] {
  const spans = accepted.flatMap((result): readonly Span[] => {
    const own = notes.filter(({ phase, fence }) => phase === result.phase && fence === result.fence)
    const from = own.find(({ moment }) => moment === 'enter')?.at
    const to = own.find(({ moment }) => moment === 'leave')?.at
    return from === undefined || to === undefined ? [] : [{ ...result, from, to }]
  })
  return spans.flatMap((one, index) =>
    spans
      .slice(index + 1)
      .filter((other) => other.fence !== one.fence && other.from <= one.to && one.from <= other.to)
      .map((other) => `job ${id}: ${one.phase} under ${one.fence} and ${other.phase} under ${other.fence}`),
  )
}

/** After these nobody holds the job. */
const CLAIM_ENDS: ReadonlySet<string> = new Set(['job:queued', 'job:retrying', ...FINAL])

/** Goes through the log: whatever was written must have come from the claim that the job was under at that place. */
function findStale({ id, events, notes, accepted }: JobHistory): readonly string[] {
  const fences = new Map(notes.map(({ attempt, fence }) => [attempt, fence]))
  const found: string[] = []
  let present: number | null = null
  for (const event of events) {
    if (event.name === 'job:started') present = event.attempt
    const writer = writerOf(event, accepted)
    const fence = present === null ? undefined : fences.get(present)
    if (writer !== null && writer !== fence) {
      found.push(`${event.name} of job ${id} was accepted under fence ${writer}, not ${fence ?? 'any'}`)
    }
    if (CLAIM_ENDS.has(event.name)) present = null
  }
  return found
}

/** The fence under which whoever wrote this ran, as told by what was written; null: it does not tell. */
function writerOf({ name, detail }: Event, accepted: readonly Accepted[]): number | null {
  if (name === 'job:log') return fenceIn(detail['fields'])
  if (name === 'phase:completed') return accepted.find(({ phase }) => phase === detail['phase'])?.fence ?? null
  if (name === 'job:completed') return accepted.at(-1)?.fence ?? null
  return null
}

function fenceIn(fields: unknown): number | null {
  if (typeof fields !== 'object' || fields === null || !('fence' in fields)) return null
  return typeof fields.fence === 'number' ? fields.fence : null
}
