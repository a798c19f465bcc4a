/**
 * Taking jobs, all in one statement: who asks, which lanes, the best of their heads, the change of the rows, and the events of it. What is
 * locked by another is passed over. The statement takes nothing, and says so, where there is something to do first (jobs have come due), or
 * where it takes more thought (a suspect waits: of those a session runs one at a time).
 */
import { PROMOTE } from '../core/plans.ts'
import { EVENT_CODES, STATE_CODES } from '../store/codes.ts'
import type { Claimed, ClaimedJob, ClaimRequest } from '../store/claims.ts'
import { numberedSql } from './compile.ts'
import type { Transaction } from './database.ts'
import type { Names } from './names.ts'
import { nullableNumber, nullableText } from '../store/columns.ts'
import { labelsOf } from './rows.ts'

/** `$1` now, `$2` holder, `$3` types, `$4` limit, `$5` whether what has come due may wait. */
const LANES =
  'me AS MATERIALIZED (SELECT n, service FROM millrace.sessions WHERE holder = $2 AND ended_at IS NULL AND expires_at > $1), ' +
  'lanes AS MATERIALIZED (SELECT l.n AS lane, t.timeout_ms, t.revision FROM me, unnest($3::text[]) AS w (name) JOIN millrace.types AS t ON t.name = w.name ' +
  'JOIN millrace.lanes AS l ON l.type = t.n JOIN millrace.queues AS q ON q.n = l.queue ' +
  'WHERE q.paused_at IS NULL AND (t.service IS NULL OR t.service = me.service))'

const FACTS =
  'facts AS MATERIALIZED (SELECT EXISTS (SELECT 1 FROM millrace.jobs WHERE state IN (1, 4) AND run_at <= $1) AS due, ' +
  'EXISTS (SELECT 1 FROM lanes CROSS JOIN LATERAL (SELECT 1 FROM millrace.jobs AS s WHERE s.lane = lanes.lane AND s.state = 2 AND s.suspect LIMIT 1) AS x) AS suspects)'

// How many of the best are each lane's; one lane has them all.
const SHARES =
  'shares AS MATERIALIZED (SELECT h.lane, count(*) AS jobs FROM (SELECT lanes.lane FROM lanes CROSS JOIN LATERAL ' +
  '(SELECT priority, run_at, n FROM millrace.jobs AS j WHERE j.lane = lanes.lane AND j.state = 2 ORDER BY priority, run_at, n LIMIT $4) AS x ' +
  'ORDER BY x.priority, x.run_at, x.n LIMIT $4) AS h WHERE (SELECT count(*) FROM lanes) > 1 GROUP BY h.lane ' +
  'UNION ALL SELECT lane, $4::bigint FROM lanes WHERE (SELECT count(*) FROM lanes) = 1)'

const PICKED =
  'picked AS MATERIALIZED (SELECT x.id, lanes.timeout_ms, lanes.revision FROM facts, shares JOIN lanes ON lanes.lane = shares.lane CROSS JOIN LATERAL ' +
  '(SELECT j.id FROM millrace.jobs AS j WHERE j.lane = shares.lane AND j.state = 2 ORDER BY j.priority, j.run_at, j.n LIMIT shares.jobs ' +
  'FOR UPDATE SKIP LOCKED) AS x WHERE (NOT facts.due OR $5::boolean) AND NOT facts.suspects)'

/** The changes of the plan `CLAIM`; a test compares the two. */
const TAKE =
  'taken AS (UPDATE millrace.jobs AS j SET updated_at = $1, event_seq = j.event_seq + 1, state = 3, holder = $2, session = me.n, ' +
  'fence = j.fence + 1, attempt = j.attempt + 1, started_at = $1, deadline_at = $1 + v.timeout_ms, phase_started_at = $1, ' +
  'progress = 100.0 * j.phase / j.phase_count FROM me, picked AS v WHERE j.id = v.id AND j.state = 2 ' +
  'RETURNING j.id, j.n, j.type, j.lane, j.phase_list, j.fence, j.tenant, j.owner, j.input, j.attempt, j.generation, j.failures, j.phase, j.phase_count, ' +
  'j.progress, j.created_at, j.run_at, j.deadline_at, j.priority, j.event_seq, v.revision)'

const TELL =
  `${numberedSql('taken')}, told AS (INSERT INTO millrace.events (commit, idx, job, seq, code, at, attempt, detail) ` +
  `SELECT numbered.n, row_number() OVER (ORDER BY m.priority, m.run_at, m.n) - 1, m.id, m.event_seq, ${EVENT_CODES['job:started']}, $1, m.attempt, ` +
  "CASE WHEN m.phase_count > 1 AND m.phase < m.phase_count THEN '{\"phase\":' || to_json(p.names::json ->> m.phase::integer)::text || '}' END " +
  'FROM taken AS m JOIN millrace.phase_lists AS p ON p.n = m.phase_list, numbered)'

const ANSWER =
  'SELECT (SELECT n FROM me) AS session, facts.due, facts.suspects, EXISTS (SELECT 1 FROM millrace.labels) AS labels, taken.id, taken.n, taken.type, ' +
  'taken.lane, taken.phase_list, taken.fence, taken.tenant, taken.owner, taken.input, taken.attempt, taken.generation, taken.failures, taken.phase, ' +
  'taken.progress, taken.created_at, taken.run_at, taken.deadline_at, taken.priority, taken.revision FROM facts LEFT JOIN taken ON true'

const CLAIM = `WITH ${LANES}, ${FACTS}, ${SHARES}, ${PICKED}, ${TAKE}, ${TELL} ${ANSWER}`

/** The same for jobs that have been chosen and locked beforehand: `$4` their ids. */
const PICKED_BY_ID =
  'picked AS MATERIALIZED (SELECT j.id, lanes.timeout_ms, lanes.revision FROM millrace.jobs AS j JOIN lanes ON lanes.lane = j.lane ' +
  'WHERE j.id = ANY($4::uuid[]))'
const NO_FACTS = 'facts AS MATERIALIZED (SELECT false AS due, false AS suspects)'
const CLAIM_CHOSEN = `WITH ${LANES}, ${NO_FACTS}, ${PICKED_BY_ID}, ${TAKE}, ${TELL} ${ANSWER}`

type ClaimedRow = readonly unknown[]

export async function claimJobs(tx: Transaction, names: Names, request: ClaimRequest): Promise<Claimed> {
  const types = [...new Set(request.types)]
  let rows = await tx.lists(CLAIM, tx.now, request.holder, types, request.limit, false)
  if (rows[0]?.[1] === true) {
    await promoteDue(tx)
    rows = await tx.lists(CLAIM, tx.now, request.holder, types, request.limit, true)
  }
  if (rows[0]?.[2] === true) rows = await claimWithSuspects(tx, { ...request, types })
  const nextDueInMs = await nextDue(tx, types)
  const jobs = await readTaken(tx, names, request.holder, rows)
  return { jobs, nextDueInMs, sessionLost: rows[0]?.[0] === null || rows[0] === undefined }
}

const HEADS =
  `WITH ${LANES} SELECT x.id, x.priority, x.run_at, x.n, x.suspect FROM lanes CROSS JOIN LATERAL (SELECT j.id, j.priority, j.run_at, j.n, j.suspect ` +
  'FROM millrace.jobs AS j WHERE j.lane = lanes.lane AND j.state = 2 AND (NOT j.suspect OR $5::boolean) ORDER BY j.priority, j.run_at, j.n LIMIT $4) AS x ' +
  'ORDER BY x.priority, x.run_at, x.n'
const RUNS_SUSPECT = 'SELECT 1 FROM millrace.jobs WHERE holder = $1 AND suspect LIMIT 1'
const LOCK_CHOSEN =
  'SELECT id FROM millrace.jobs WHERE id = ANY($1::uuid[]) AND state = 2 ORDER BY id FOR UPDATE SKIP LOCKED'
// Of two claims of one session at once, the second must see the suspect that the first has taken.
const LOCK_SESSION = 'SELECT 1 FROM millrace.sessions WHERE holder = $1 FOR NO KEY UPDATE'

/** The best of all lanes' heads, with at most one suspect, and none if the session already runs one. */
async function claimWithSuspects(
  tx: Transaction,
  { holder, types, limit }: ClaimRequest,
): Promise<readonly ClaimedRow[]> {
  await tx.rows(LOCK_SESSION, holder)
  const allowed = (await tx.rows(RUNS_SUSPECT, holder)).length === 0
  const heads = [...(await tx.lists(HEADS, tx.now, holder, types, limit, allowed))]
  const suspects = heads.filter(isSuspect)
  // Where more than one suspect stands among them, the innocent ones behind them too.
  const innocent = suspects.length < 2 ? heads : await tx.lists(HEADS, tx.now, holder, types, limit, false)
  const [first] = suspects
  const chosen = suspects.length < 2 || first === undefined ? heads : [first, ...innocent].toSorted(inOrder)
  const ids = chosen.slice(0, limit).map(([id]) => String(id))
  const locked = await tx.lists(LOCK_CHOSEN, ids)
  return tx.lists(
    CLAIM_CHOSEN,
    tx.now,
    holder,
    types,
    locked.map(([id]) => String(id)),
  )
}

function isSuspect(head: ClaimedRow): boolean {
  return head[4] === true
}

function inOrder(one: ClaimedRow, other: ClaimedRow): number {
  return Number(one[1]) - Number(other[1]) || Number(one[2]) - Number(other[2]) || Number(one[3]) - Number(other[3])
}

const NEXT_DUE =
  'SELECT min(x.run_at) - $1::bigint AS ms FROM unnest($2::text[]) AS w (name) JOIN millrace.types AS t ON t.name = w.name CROSS JOIN LATERAL ' +
  '(SELECT j.run_at FROM millrace.jobs AS j WHERE j.type = t.n AND j.state IN (1, 4) ORDER BY j.run_at LIMIT 1) AS x'

async function nextDue(tx: Transaction, types: readonly string[]): Promise<number | null> {
  const [row] = await tx.rows(NEXT_DUE, tx.now, types)
  const ms = nullableNumber(row?.['ms'])
  return ms === null ? null : Math.max(0, ms)
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
  const taken = rows.filter(([, , , , id]) => typeof id === 'string').toSorted(inTakenOrder)
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
  'WITH due AS MATERIALIZED (SELECT id FROM millrace.jobs WHERE state IN (1, 4) AND run_at <= $1 ORDER BY run_at, n LIMIT $2 FOR UPDATE SKIP LOCKED), ' +
  'moved AS (UPDATE millrace.jobs AS j SET updated_at = $1, event_seq = j.event_seq + 1, state = 2 FROM due WHERE j.id = due.id ' +
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
