/** Taking jobs: promote what is due, look at the head of each lane, take the best under the claim plan. */
import { CLAIM, PROMOTE } from '../core/plans.ts'
import { OPERATOR } from '../core/scope.ts'
import type { ClaimRequest, Claimed, ClaimedJob } from '../store/claims.ts'
import { updateByPlan, upkeepInputs, writeHistory } from './apply.ts'
import { INPUT, readBody } from './bodies.ts'
import type { Database, TypeEntry } from './database.ts'
import type { Row, SqlValue } from './driver.ts'
import { idFromBytes } from './ids.ts'
import { labelsOf, nullableNumber, nullableText } from './rows.ts'

export function claimJobs(db: Database, request: ClaimRequest): Claimed {
  promoteDue(db)
  const session = db.get(OPEN_SESSION, request.holder, db.now)
  if (session === undefined) return { jobs: [], nextDueInMs: null, sessionLost: true }
  const lanes = db.all(LANES_OF_TYPES, JSON.stringify([...new Set(request.types)]), session['service'] ?? null)
  const heads = laneHeads(db, lanes, request)
  const jobs = heads.flatMap((head) => takeJob(db, head, request, Number(session['n'])))
  return { jobs, nextDueInMs: nextDueInMs(db, request.types), sessionLost: false }
}

const OPEN_SESSION = 'SELECT n, service FROM millrace_sessions WHERE holder = ? AND ended_at IS NULL AND expires_at > ?'

const LANES_OF_TYPES =
  'SELECT l.n AS lane, t.name AS type FROM json_each(?) AS wanted CROSS JOIN millrace_types AS t ON t.name = wanted.value ' +
  'CROSS JOIN millrace_lanes AS l ON l.type = t.n CROSS JOIN millrace_queues AS q ON q.n = l.queue WHERE q.paused_at IS NULL ' +
  'AND (t.service IS NULL OR t.service = ?)'

const LANE_HEAD =
  'SELECT n, priority, run_at, suspect FROM millrace_jobs WHERE lane = ? AND state = 2 AND (suspect = 0 OR ?) ' +
  'ORDER BY priority, run_at, n LIMIT ?'

const RUNNING_SUSPECT = 'SELECT 1 FROM millrace_jobs WHERE holder = ? AND suspect = 1 LIMIT 1'

interface Head {
  readonly n: number
  readonly type: string
  readonly priority: number
  readonly runAt: number
  readonly suspect: boolean
}

/** The best of all lanes' heads, with at most one suspect, and none if the session already runs one. */
function laneHeads(db: Database, lanes: readonly Row[], { holder, limit }: ClaimRequest): readonly Head[] {
  const suspectAllowed = db.get(RUNNING_SUSPECT, holder) === undefined
  const heads = lanes.flatMap(({ lane = null, type }) =>
    laneRows(db, lane, suspectAllowed, limit).map((row) => ({
      n: Number(row['n']),
      type: String(type),
      priority: Number(row['priority']),
      runAt: Number(row['run_at']),
      suspect: row['suspect'] === 1,
    })),
  )
  if (heads.length > 1) heads.sort((a, b) => a.priority - b.priority || a.runAt - b.runAt || a.n - b.n)
  const firstSuspect = heads.findIndex((head) => head.suspect)
  const chosen = firstSuspect === -1 ? heads : heads.filter((head, index) => !head.suspect || index === firstSuspect)
  return chosen.slice(0, limit)
}

/** As many as asked for; where more than one suspect stands among them, the innocent ones behind them too. */
function laneRows(db: Database, lane: SqlValue, suspectAllowed: boolean, limit: number): readonly Row[] {
  const rows = db.all(LANE_HEAD, lane, suspectAllowed ? 1 : 0, limit)
  const suspects = rows.filter((row) => row['suspect'] === 1)
  if (suspects.length < 2) return rows
  return [...suspects.slice(0, 1), ...db.all(LANE_HEAD, lane, 0, limit)]
}

const CLAIM_RETURNS = ['id', 'tenant', 'owner', 'lane', 'failures', 'input', 'created_at', 'run_at']

function takeJob(db: Database, head: Head, { holder }: ClaimRequest, session: number): readonly ClaimedJob[] {
  const type = db.findType(head.type)
  if (type === undefined) return []
  const values = { holder, timeoutMs: type.policy.timeoutMs }
  const inputs = { key: head.n, now: db.now, scope: OPERATOR, claim: null, values, session }
  const applied = updateByPlan(db, { plan: CLAIM, key: 'n', returning: CLAIM_RETURNS }, inputs)
  if (applied === null) return []
  writeHistory(db, applied, { detail: startedDetail(db, applied.row), error: null, cutOff: applied.row })
  return [claimedJob(db, applied.row, type, holder)]
}

/** A job of one phase starts where it has to. */
function startedDetail(db: Database, row: Row): string | null {
  const names = db.phaseNames(Number(row['phase_list']))
  const phase = names[Number(row['phase'])]
  return names.length === 1 || phase === undefined ? null : JSON.stringify({ phase })
}

const NO_LABELS: Readonly<Record<string, string>> = {}
const RESULTS = 'SELECT result FROM millrace_phases WHERE job = ? AND ordinal < ? ORDER BY ordinal'

function claimedJob(db: Database, row: Row, type: TypeEntry, holder: number): ClaimedJob {
  const n = Number(row['n'])
  const phase = Number(row['phase'])
  return {
    claim: { jobId: idFromBytes(row['id']), holder, fence: Number(row['fence']) },
    type: type.name,
    queue: db.queueOfLane(Number(row['lane'])),
    tenant: String(row['tenant']),
    owner: nullableText(row['owner']),
    labels: db.anyLabels() ? labelsOf(db, n) : NO_LABELS,
    policy: type.policy,
    input: readBody(db, n, INPUT, row['input']) ?? 'null',
    attempt: Number(row['attempt']),
    generation: Number(row['generation']),
    failures: Number(row['failures']),
    phaseNames: db.phaseNames(Number(row['phase_list'])),
    phase,
    results: phase === 0 ? [] : db.all(RESULTS, n, phase).map(({ result }) => String(result)),
    progress: Number(row['progress']),
    createdAt: Number(row['created_at']),
    runAt: Number(row['run_at']),
    startedAt: Number(row['started_at']),
    deadlineAt: nullableNumber(row['deadline_at']),
  }
}

const DUE = 'SELECT n FROM millrace_jobs WHERE state IN (1, 4) AND run_at <= ? ORDER BY run_at, n LIMIT ?'
const NEXT_DUE = 'SELECT min(run_at) AS at FROM millrace_jobs WHERE state IN (1, 4) AND type = ?'

/** Bounded, so that a great many jobs coming due at once don't hold up everything else: the next claim goes on. */
const PROMOTED_AT_ONCE = 1_000

export function promoteDue(db: Database): number {
  const due = db.all(DUE, db.now, PROMOTED_AT_ONCE)
  for (const { n = null } of due) {
    const applied = updateByPlan(db, { plan: PROMOTE, key: 'n' }, upkeepInputs(db, n))
    if (applied !== null) writeHistory(db, applied, { detail: null, error: null, cutOff: applied.row })
  }
  return due.length
}

function nextDueInMs(db: Database, types: readonly string[]): number | null {
  const dues = types.flatMap((name) => {
    const type = db.findType(name)
    return type === undefined ? [] : (nullableNumber(db.get(NEXT_DUE, type.n)?.['at']) ?? [])
  })
  return dues.length === 0 ? null : Math.max(0, Math.min(...dues) - db.now)
}
