/** The answer of the statement that takes jobs, read: what was found, and the jobs, in the order in which they were to be taken. */
import { inLaneOrder } from './claim-cursors.ts'
import type { LanePlace } from './claim-cursors.ts'
import { COMMON } from './claim-sql.ts'
import type { FactsRow, TakenRow } from './claim-sql.ts'

/** What most jobs of a claim have in common. */
export type CommonColumns = Readonly<Record<Exclude<(typeof COMMON)[number], 'deadline_at'>, number>> & {
  readonly deadline_at: number | null
}

/** A job that was taken. */
export interface TakenJob extends LanePlace {
  readonly id: string
  readonly createdAt: number
  readonly tenant: string
  readonly owner: string | null
  readonly input: string
  readonly common: CommonColumns
}

export interface ClaimAnswer {
  /** The session is open. */
  readonly isOpen: boolean
  /** Jobs have come due, and nothing was taken, unless they may wait. */
  readonly due: boolean
  /** A suspect waits, and nothing was taken. */
  readonly suspects: boolean
  /** The store has jobs with labels. */
  readonly labels: boolean
  readonly nextDueMs: number | null
  readonly foundAfterMs: number
  readonly taken: readonly TakenJob[]
}

export function readAnswer(rows: readonly (readonly unknown[])[]): ClaimAnswer {
  const [facts, ...taken] = rows as unknown as readonly [FactsRow, ...TakenRow[]]
  const [, , session, due, suspects, labels, nextDueMs, foundAfterMs] = facts
  const commons = new Map<string, CommonColumns>()
  const jobs = taken.map((row) => takenJob(row, commons)).toSorted(inLaneOrder)
  return { isOpen: session !== null, due, suspects, labels, nextDueMs, foundAfterMs, taken: jobs }
}

function takenJob(row: TakenRow, commons: Map<string, CommonColumns>): TakenJob {
  const { 8: id, 9: n, 10: createdAt, 11: runAt, 12: tenant, 13: owner, 14: input, 15: text } = row
  let common = commons.get(text)
  if (common === undefined) commons.set(text, (common = readCommon(text)))
  const { priority } = common
  return { id, n, createdAt, runAt, priority, tenant: tenant ?? '', owner, input: input ?? 'null', common }
}

function readCommon(text: string): CommonColumns {
  const values = text.split(' ')
  const entries = COMMON.map((name, index) => [name, values[index] === '' ? null : Number(values[index])])
  return Object.fromEntries(entries) as CommonColumns
}
