/**
 * Taking jobs, all in one statement: who asks, which lanes, the best of their heads, the change of the rows, and the events of it. What is
 * locked by another is passed over. The statement takes nothing, and says so, where there is something to do first (jobs have come due), or
 * where it takes more thought (a suspect waits: of those a session runs one at a time).
 */
import { PROMOTE } from '../core/plans.ts'
import { EVENT_CODES, STATE_CODES } from '../store/codes.ts'
import type { Claimed, ClaimedJob, ClaimRequest } from '../store/claims.ts'
import { NO_CURSORS, isBehind } from './claim-cursors.ts'
import type { ClaimCursors, LanePlace } from './claim-cursors.ts'
import { CLAIM, CLAIM_CHOSEN, LANES } from './claim-sql.ts'
import { numberedSql } from './compile.ts'
import type { Transaction } from './database.ts'
import type { Names } from './names.ts'
import { nullableNumber, nullableText } from '../store/columns.ts'
import { labelsOf } from './rows.ts'

type ClaimedRow = readonly unknown[]

export interface Claiming {
  readonly names: Names
  readonly cursors: ClaimCursors
}

export async function claimJobs(
  tx: Transaction,
  { names, cursors }: Claiming,
  request: ClaimRequest,
): Promise<Claimed> {
  const asked = { ...request, types: [...new Set(request.types)] }
  let rows = await claimFrom(tx, cursors, asked)
  const dueMs = nullableNumber(rows[0]?.[23])
  if (rows[0]?.[2] === true) rows = await claimWithSuspects(tx, asked)
  const jobs = await readTaken(tx, names, asked.holder, rows)
  return {
    jobs,
    nextDueInMs: dueMs === null ? null : Math.max(0, dueMs),
    sessionLost: rows[0]?.[0] === null || rows[0] === undefined,
  }
}

async function claimFrom(
  tx: Transaction,
  cursors: ClaimCursors,
  request: ClaimRequest,
): Promise<readonly ClaimedRow[]> {
  const { holder, types, limit } = request
  const start = cursors.start()
  const look = (mayWait: boolean): Promise<readonly ClaimedRow[]> =>
    tx.lists(CLAIM, tx.now, holder, types, limit, mayWait, ...start.columns)
  let rows = await look(false)
  if (rows[0]?.[1] === true) {
    await promoteDue(tx)
    rows = await look(true)
  }
  if (rows[0]?.[2] === true) return rows
  const taken = rows.filter(isTaken)
  const isShort = taken.length < limit
  const end = { foundAfterMs: Number(rows[0]?.[24] ?? 0), last: lastOfLanes(taken), isShort }
  if (!cursors.note(start, end)) return rows
  const more = await claimFrom(tx, cursors, { ...request, limit: limit - taken.length })
  return [...taken, ...more]
}

function isTaken(row: ClaimedRow): boolean {
  return typeof row[4] === 'string'
}

/** Where the claim has come to in each lane. */
function lastOfLanes(rows: readonly ClaimedRow[]): ReadonlyMap<number, LanePlace> {
  const last = new Map<number, LanePlace>()
  for (const row of rows) {
    const place = { priority: Number(row[21]), runAt: Number(row[19]), n: Number(row[5]) }
    const known = last.get(Number(row[7]))
    if (known === undefined || isBehind(place, known)) last.set(Number(row[7]), place)
  }
  return last
}

const HEADS =
  `WITH ${LANES} SELECT x.id, x.priority, x.run_at, x.n, x.suspect FROM lanes CROSS JOIN LATERAL (SELECT j.id, j.priority, j.run_at, j.n, j.suspect ` +
  'FROM millrace.jobs AS j WHERE j.lane = lanes.lane AND j.state = 2 AND (NOT j.suspect OR $5::boolean) ORDER BY j.priority, j.run_at, j.n LIMIT $4) AS x ' +
  'ORDER BY x.priority, x.run_at, x.n'
const RUNS_SUSPECT = 'SELECT 1 FROM millrace.jobs WHERE holder = $1 AND suspect LIMIT 1'
// Asked for the bare state, the planner may go through all jobs that are ready.
const LOCK_CHOSEN =
  'SELECT id FROM millrace.jobs WHERE id = ANY($1::uuid[]) AND state + 0 = 2 ORDER BY id FOR UPDATE SKIP LOCKED'
// Of two claims of one session at once, the second must see the suspect that the first has taken.
const LOCK_SESSION = 'SELECT 1 FROM millrace.sessions WHERE holder = $1 FOR NO KEY UPDATE'

/** The best of all lanes' heads, with at most one suspect, and none if the session already runs one. */
async function claimWithSuspects(
  tx: Transaction,
  { holder, types, limit }: ClaimRequest,
): Promise<readonly ClaimedRow[]> {
  await tx.rows(LOCK_SESSION, holder)
  const allowed = (await tx.rows(RUNS_SUSPECT, holder)).length === 0
  const heads = [...(await tx.lists(HEADS, tx.now, holder, types, limit, allowed, ...NO_CURSORS))]
  const suspects = heads.filter(isSuspect)
  // Where more than one suspect stands among them, the innocent ones behind them too.
  const innocent =
    suspects.length < 2 ? heads : await tx.lists(HEADS, tx.now, holder, types, limit, false, ...NO_CURSORS)
  const [first] = suspects
  const chosen = suspects.length < 2 || first === undefined ? heads : [first, ...innocent].toSorted(inOrder)
  const ids = chosen.slice(0, limit).map(([id]) => String(id))
  const locked = await tx.lists(LOCK_CHOSEN, ids)
  const taken = locked.map(([id]) => String(id))
  return tx.lists(CLAIM_CHOSEN, tx.now, holder, types, taken, null, ...NO_CURSORS)
}

function isSuspect(head: ClaimedRow): boolean {
  return head[4] === true
}

function inOrder(one: ClaimedRow, other: ClaimedRow): number {
  return Number(one[1]) - Number(other[1]) || Number(one[2]) - Number(other[2]) || Number(one[3]) - Number(other[3])
}

const RESULTS = 'SELECT job, result FROM millrace.phases WHERE job = ANY($1::uuid[]) ORDER BY job, ordinal'
const LABELS =
  'SELECT job, json_object_agg(name, content ORDER BY name)::text AS labels FROM millrace.labels WHERE job = ANY($1::uuid[]) GROUP BY job'

const NO_LABELS: Readonly<Record<string, string>> = Object.freeze({})
const NO_RESULTS: readonly string[] = []

async function readTaken(
  tx: Transaction,
  names: Names,
  holder: number,
  rows: readonly ClaimedRow[],
): Promise<readonly ClaimedJob[]> {
  const taken = rows.filter(isTaken).toSorted(inTakenOrder)
  const resumed = taken.filter((row) => Number(row[16]) > 0).map(([, , , , id]) => String(id))
  const results = resumed.length === 0 ? new Map<string, string[]>() : await resultsOf(tx, resumed)
  const labelled = taken.length > 0 && taken[0]?.[3] === true
  const labels = labelled
    ? await tx.rows(
        LABELS,
        taken.map(([, , , , id]) => String(id)),
      )
    : []
  const labelsById = new Map(labels.map((row) => [String(row['job']), labelsOf(row['labels'])]))
  const jobs: ClaimedJob[] = []
  for (const row of taken) {
    const id = String(row[4])
    const beside = { labels: labelsById.get(id) ?? NO_LABELS, results: results.get(id) ?? NO_RESULTS }
    jobs.push(await claimedJob({ tx, names, row, holder, startedAt: tx.now, ...beside }))
  }
  return jobs
}

function inTakenOrder(one: ClaimedRow, other: ClaimedRow): number {
  return Number(one[21]) - Number(other[21]) || Number(one[19]) - Number(other[19]) || Number(one[5]) - Number(other[5])
}

async function resultsOf(tx: Transaction, ids: readonly string[]): Promise<ReadonlyMap<string, string[]>> {
  const results = new Map<string, string[]>()
  for (const row of await tx.rows(RESULTS, ids)) {
    const id = String(row['job'])
    const known = results.get(id)
    if (known === undefined) results.set(id, [String(row['result'])])
    else known.push(String(row['result']))
  }
  return results
}

interface ReadJob extends Pick<ClaimedJob, 'labels' | 'results' | 'startedAt'> {
  readonly tx: Transaction
  readonly names: Names
  readonly row: ClaimedRow
  readonly holder: number
}

async function claimedJob({ tx, names, row, holder, ...beside }: ReadJob): Promise<ClaimedJob> {
  const type = await names.typeOf(tx.rows, Number(row[6]), Number(row[22]))
  const { queue } = await names.laneOf(tx.rows, Number(row[7]))
  return {
    ...beside,
    claim: { jobId: String(row[4]), holder, fence: Number(row[9]) },
    type: type.name,
    queue,
    tenant: String(row[10]),
    owner: nullableText(row[11]),
    policy: type.policy,
    input: nullableText(row[12]) ?? 'null',
    attempt: Number(row[13]),
    generation: Number(row[14]),
    failures: Number(row[15]),
    phaseNames: await names.phaseNames(tx.rows, Number(row[8])),
    phase: Number(row[16]),
    progress: Number(row[17]),
    createdAt: Number(row[18]),
    runAt: Number(row[19]),
    deadlineAt: nullableNumber(row[20]),
  }
}

/** Bounded, so that a great many jobs coming due at once don't hold up everything else: the next claim goes on. */
const PROMOTED_AT_ONCE = 1_000

const PROMOTE_DUE =
  'WITH due AS MATERIALIZED (SELECT ctid AS place FROM millrace.jobs WHERE state IN (1, 4) AND run_at >= 0 AND run_at <= $1 ORDER BY run_at, n LIMIT $2 FOR UPDATE SKIP LOCKED), ' +
  'moved AS (UPDATE millrace.jobs AS j SET updated_at = $1, event_seq = j.event_seq + 1, state = 2 FROM due WHERE j.ctid = due.place ' +
  'RETURNING j.id, j.event_seq, j.attempt, j.run_at, j.n), ' +
  `${numberedSql('moved')}, told AS (INSERT INTO millrace.events (commit, idx, job, seq, code, at, attempt, detail) SELECT numbered.n, ` +
  `row_number() OVER (ORDER BY m.run_at, m.n) - 1, m.id, m.event_seq, ${EVENT_CODES['job:queued']}, $1, m.attempt, $3 FROM moved AS m, numbered) ` +
  'SELECT count(*) AS moved FROM moved'

export async function promoteDue(tx: Transaction): Promise<number> {
  const detail = JSON.stringify({ cause: PROMOTE.name })
  const [row] = await tx.rows(PROMOTE_DUE, tx.now, PROMOTED_AT_ONCE, detail)
  return Number(row?.['moved'] ?? 0)
}

if (STATE_CODES.running !== 3 || STATE_CODES.queued !== 2)
  throw new RangeError('states have other codes than the claim has')
