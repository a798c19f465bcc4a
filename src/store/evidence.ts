/** What tells how jobs are worked on, by type: found by the heads of indexes and the jobs that ended last, whatever there is in the store. */
import type { EndedEvidence, EntityEvidence, TypeEvidence } from '../core/red-flags.ts'
import { isFinal } from '../core/states.ts'
import type { FinalState } from '../core/states.ts'
import { stateOf } from './codes.ts'
import { nullableNumber, nullableText } from './columns.ts'
import type { Columns } from './columns.ts'

export interface EvidenceQuery {
  /** How many of the jobs that ended last, of each type and final state. */
  readonly endedLimit: number
  /** How many unfinished entities, the newest first. */
  readonly entityLimit: number
}

export interface EvidenceRecords {
  readonly waiting: ReadonlyMap<string, TypeEvidence['waiting']>
  /** In no order that counts. */
  readonly ended: readonly EndedRecord[]
  readonly entities: readonly EntityEvidence[]
}

export interface EndedRecord extends Omit<EndedEvidence, 'state'> {
  readonly state: FinalState
  /** Under a lock: no worker ran it last. */
  readonly byHand: boolean
}

/** What was found out about the entity of a job that is over. */
export interface EntityNote {
  readonly jobId: string
  /** What it is called while it is not final; null: it is. */
  readonly status: string | null
}

/** Notes of unfinished entities that nobody has renewed for so long are dropped: their jobs are gone, or nobody asks any more. */
export const ENTITY_NOTE_MS: number = 24 * 3_600_000

/** `queued`: a job is. `next_due`: when the next that waits for its time has it; null: none waits. */
export function waitingOf(rows: readonly Columns[], now: number): EvidenceRecords['waiting'] {
  return new Map(
    rows.map((row) => {
      const nextDue = nullableNumber(row['next_due'])
      const later = nextDue === null ? 'none' : 'later'
      const isDue = Boolean(row['queued']) || (nextDue !== null && nextDue <= now)
      return [String(row['type']), isDue ? 'due' : later]
    }),
  )
}

export function endedRecord(row: Columns, jobId: string): EndedRecord {
  const startedAt = nullableNumber(row['started_at'])
  const endedAt = Number(row['finished_at'])
  const isFirst = Number(row['attempt']) === 1 && Number(row['generation']) === 1
  const { worker_service: service } = row
  const version = nullableText(row['version'])
  const state = stateOf(row['state'])
  if (!isFinal(state)) throw new RangeError(`job ${jobId} is ${state}, which is no end`)
  return {
    jobId,
    type: String(row['type']),
    state,
    endedAt,
    durationMs: isFirst && startedAt !== null ? endedAt - startedAt : null,
    hasOutput: state === 'completed' && Boolean(row['has_output']),
    byHand: Boolean(row['by_hand']),
    worker: typeof service === 'string' ? { service, host: String(row['host']), version } : null,
  }
}

export function entityEvidence(row: Columns, jobId: string): EntityEvidence {
  return { jobId, type: String(row['type']), endedAt: Number(row['finished_at']), status: String(row['status']) }
}
