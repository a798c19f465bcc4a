/**
 * What became of a transaction whose COMMIT was not answered.
 *
 * The server knows by the transaction's number whether it is still under way or has come to nothing. That it was committed is not to be had
 * from the number alone: one that no disk has seen is given out again after a crash, so it may be somebody else's by now. What a transaction
 * did stands in the log, in rows that carry its number and its time, and these two are nobody else's. A transaction that has left no event
 * has done nothing that may not be done again.
 */
import type { MillraceError } from '../core/errors.ts'
import { pause } from '../runtime/pause.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { isUnknownTransaction } from './failures.ts'
import type { RunRows } from './driver.ts'

export interface LostCommit {
  /** The transaction's number. */
  readonly xid: string
  /** When it began, by the database's clock: the time of its events. */
  readonly now: number
}

export interface Inquiry {
  readonly runtime: Runtime
  readonly rows: RunRows
  /** Whether to wait for the database as long as it takes, past the patience of `rows`. */
  readonly insists: () => boolean
}

const WAIT_MS = 20

const STATUS = 'SELECT pg_xact_status($1::xid8) AS status'

/** Whether the transaction was committed and has left events. Answers once it is over. */
export async function hasLeftEvents(inquiry: Inquiry, lost: LostCommit): Promise<boolean> {
  for (;;) {
    const status = await statusOf(inquiry, lost)
    if (status === 'aborted') return false
    if (status !== 'in progress') return findEvents(inquiry, lost)
    await pause(inquiry.runtime, WAIT_MS)
  }
}

async function statusOf(inquiry: Inquiry, { xid }: LostCommit): Promise<unknown> {
  try {
    const [row] = await insist(inquiry, STATUS, xid)
    return row?.['status']
  } catch (error) {
    // Not given out yet: it was, before a crash.
    if (isUnknownTransaction((error as MillraceError).cause)) return 'aborted'
    throw error
  }
}

/** From the latest commits backwards, `$3` the number before which to look. */
const PAGE =
  'SELECT min(n) AS first, min(at) AS at, coalesce(bool_or(at = $2 AND xid = $1::xid8), false) AS found ' +
  'FROM (SELECT n, at, xid FROM millrace.commits WHERE n < $3 ORDER BY n DESC LIMIT $4) AS c'
const COMMITS_A_PAGE = 10_000
/** No transaction takes as long from its beginning to its number in the log. */
const LONGEST_MS = 600_000

async function findEvents(inquiry: Inquiry, { xid, now }: LostCommit): Promise<boolean> {
  let before = Number.MAX_SAFE_INTEGER
  for (;;) {
    const [page] = await insist(inquiry, PAGE, xid, now, before, COMMITS_A_PAGE)
    if (page?.['found'] === true) return true
    const first = page?.['first']
    if (typeof first !== 'number' || Number(page?.['at']) < now - LONGEST_MS) return false
    before = first
  }
}

const MAY_PASS: ReadonlySet<MillraceError['code']> = new Set(['store-unreachable', 'store-busy'])

async function insist({ runtime, rows, insists }: Inquiry, ...statement: Parameters<RunRows>): ReturnType<RunRows> {
  for (;;) {
    try {
      return await rows(...statement)
    } catch (error) {
      if (!MAY_PASS.has((error as MillraceError).code) || !insists()) throw error
      await pause(runtime, WAIT_MS)
    }
  }
}
