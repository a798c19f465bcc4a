/** The answer of the statement that takes jobs, read: what was found, and the jobs, in the order in which they were to be taken. */
import { INPUT_LOST } from '../store/claims.ts'
import { inLaneOrder } from './claim-cursors.ts'
import type { LanePlace } from './claim-cursors.ts'
import type { OpenedBundle } from './bundle-sql.ts'
import { PLACED, TRIED, UNTRIED } from './claim-sql.ts'
import type { FactsRow, Found, FoundAlike, FoundLane, TakenRow } from './claim-sql.ts'

/** What most jobs of a claim have in common. */
export type CommonColumns = Readonly<Record<(typeof PLACED | typeof TRIED)[number], number>> & {
  readonly type: number
  readonly revision: number
  readonly deadlineAt: number | null
}

/** A job that was taken. */
export interface TakenJob extends LanePlace {
  readonly id: string
  readonly createdAt: number
  readonly tenant: string
  readonly owner: string | null
  readonly input: string
  readonly common: CommonColumns
  /** Where its row lies now. */
  readonly ctid: string
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
  /** There are bundles in the lanes that were looked through. */
  readonly bundles: boolean
  /** Those that jobs were taken from. */
  readonly opened: readonly OpenedBundle[]
  readonly taken: readonly TakenJob[]
}

export function readAnswer(rows: readonly (readonly unknown[])[]): ClaimAnswer {
  const [facts, ...taken] = rows as unknown as readonly [FactsRow, ...TakenRow[]]
  const [, now, , , , , found] = facts
  const [session, due, suspects, labels, nextDueMs, foundAfterMs, lanes, bundles, opened, alike] = JSON.parse(
    found,
  ) as Found
  const jobs = alike === null ? [] : jobsOf(taken, alike, new Commons(now, lanes ?? []))
  return {
    isOpen: session !== null,
    due,
    suspects,
    labels,
    nextDueMs,
    foundAfterMs,
    bundles,
    opened: opened ?? [],
    taken: jobs,
  }
}

function jobsOf(rows: readonly TakenRow[], alike: FoundAlike, commons: Commons): readonly TakenJob[] {
  const [, , , firstCreatedAt, firstRunAt] = alike
  const first = commons.of(alike.slice(0, PLACED.length).join(' '))
  const jobs = rows.map(([id, n, createdAt, runAt, tenant, owner, input, differing, ctid]): TakenJob => {
    const common = differing === null ? first : commons.of(differing)
    return {
      id,
      n,
      createdAt: createdAt ?? firstCreatedAt,
      runAt: runAt ?? firstRunAt,
      priority: common.priority,
      tenant: tenant ?? '',
      owner,
      input: input ?? INPUT_LOST,
      common,
      ctid,
    }
  })
  return jobs.toSorted(inLaneOrder)
}

/** Each is read once. */
class Commons {
  readonly #now: number
  readonly #lanes: ReadonlyMap<number, FoundLane>
  readonly #known = new Map<string, CommonColumns>()

  constructor(now: number, lanes: readonly FoundLane[]) {
    this.#now = now
    this.#lanes = new Map(lanes.map((lane) => [lane[0], lane]))
  }

  of(text: string): CommonColumns {
    const known = this.#known.get(text)
    if (known !== undefined) return known
    const common = this.#read(text.split(' ').map(Number))
    this.#known.set(text, common)
    return common
  }

  #read(values: readonly number[]): CommonColumns {
    const columns = [...PLACED, ...TRIED].slice(0, values.length)
    const given = Object.fromEntries(columns.map((name, index) => [name, values[index]]))
    const { lane, ...others } = { ...UNTRIED, ...given } as Omit<CommonColumns, 'type' | 'revision' | 'deadlineAt'>
    const found = this.#lanes.get(lane)
    if (found === undefined) throw new RangeError('a job was taken from a lane that was not looked through')
    const [, type, revision, timeoutMs] = found
    return { lane, ...others, type, revision, deadlineAt: timeoutMs === null ? null : this.#now + timeoutMs }
  }
}
