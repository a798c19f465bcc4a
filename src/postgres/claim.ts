/**
 * Taking jobs, all in one statement: who asks, which lanes, the best of their heads, the change of the rows, and the events of it. What is
 * locked by another is passed over. The statement takes nothing, and says so, where there is something to do first (jobs have come due), or
 * where it takes more thought (a suspect waits: of those a session runs one at a time).
 */
import { PROMOTE } from '../core/plans.ts'
import { EVENT_CODES } from '../store/codes.ts'
import type { ClaimPace, Claimed, ClaimedJob, ClaimRequest } from '../store/claims.ts'
import { CLEAR, DROP_BUNDLES, SOURCES, UNBUNDLE } from './bundle-sql.ts'
import type { OpenedBundle, Source } from './bundle-sql.ts'
import { readAnswer } from './claim-answer.ts'
import type { ClaimAnswer, CommonColumns, TakenJob } from './claim-answer.ts'
import { FROM_FRONT, NO_CURSORS, inLaneOrder } from './claim-cursors.ts'
import type { ClaimCursors, ClaimStart, LanePlace } from './claim-cursors.ts'
import { LANES, TAKE_BEST, TAKE_CHOSEN } from './claim-sql.ts'
import type { ClaimConnection } from './claim-connection.ts'
import { changesSql } from './compile.ts'
import type { Database, Transaction } from './database.ts'
import type { PgPool, PgValue } from './driver.ts'
import { isHeldUp } from './failures.ts'
import type { Names } from './names.ts'
import { labelsOf } from './rows.ts'
import { numberedSql } from './tell-sql.ts'

export interface Claiming {
  readonly names: Names
  readonly cursors: ClaimCursors
  readonly connection: ClaimConnection
}

/**
 * One at a time, and for many: each costs the server a third of a millisecond beside its jobs, and claims beside each other, with the
 * completions, want more processors than there may be.
 */
export const CLAIM_PACE: ClaimPace = { claims: 1, jobs: 1_000 }

/** A claim waits no longer for somebody who has a job of a bundle in hand: then it takes jobs one by one, and passes over what is locked. */
export const LOCKED_WITHIN_MS = 50

/** Takes jobs, in a transaction of its own. */
export function claimJobs(db: Database, claiming: Claiming, request: ClaimRequest): Promise<Claimed> {
  const { connection, cursors } = claiming
  return connection.within(async (pool) => {
    if (!cursors.isHeldUp) {
      try {
        return await claimFirst(db, claiming, { request, source: SOURCES.all, pool, lockedWithinMs: LOCKED_WITHIN_MS })
      } catch (error) {
        if (!isHeldUp(error)) throw error
        cursors.noteHeldUp()
      }
    }
    return claimFirst(db, claiming, { request, source: SOURCES.alone, pool })
  })
}

interface FirstClaim {
  readonly request: ClaimRequest
  readonly source: Source
  readonly pool: PgPool | undefined
  readonly lockedWithinMs?: number
}

async function claimFirst(
  db: Database,
  claiming: Claiming,
  { request, source, ...limits }: FirstClaim,
): Promise<Claimed> {
  const asked = { request: withoutDoubles(request), start: claiming.cursors.start(), source }
  return db.writeFrom(
    { sql: TAKE_BEST, values: lookValues(asked, false) },
    (tx, found) => claimFrom(tx, claiming, { ...asked, answer: readAnswer(found) }),
    { insists: true, ...limits },
  )
}

/**
 * Takes jobs in a transaction that has been begun to add some, which is not to wait for long. Null: nothing was taken, and a claim by itself may
 * find more (see `goOn`).
 */
export async function claimIn(
  tx: Transaction,
  { names, cursors }: Claiming,
  request: ClaimRequest,
): Promise<Claimed | null> {
  const asked = { request: withoutDoubles(request), start: cursors.start(), source: SOURCES.all }
  const answer = await look(tx, asked)
  if (answer.due || answer.suspects) return null
  if (answer.opened.length > 0) cursors.noteOpened(request.types)
  await settleMissed(tx, answer)
  // Others have the bundles in hand, or they lead to nothing: it takes a second look.
  if (answer.taken.length === 0 && answer.bundles) return null
  return claimedOf(tx, names, request.holder, answer)
}

function withoutDoubles(request: ClaimRequest): ClaimRequest {
  return { ...request, types: [...new Set(request.types)] }
}

/** From what the first statement has found. */
async function claimFrom(tx: Transaction, { names, cursors }: Claiming, found: Look): Promise<Claimed> {
  const { request } = found
  const first = await goOn(tx, cursors, found)
  const answer = first.suspects ? await claimWithSuspects(tx, request) : first
  return claimedOf(tx, names, request.holder, { ...answer, nextDueMs: first.nextDueMs })
}

async function claimedOf(tx: Transaction, names: Names, holder: number, answer: ClaimAnswer): Promise<Claimed> {
  const { nextDueMs, isOpen } = answer
  return {
    jobs: await readTaken(tx, names, holder, answer),
    nextDueInMs: nextDueMs === null ? null : Math.max(0, nextDueMs),
    sessionLost: !isOpen,
  }
}

interface Asked {
  readonly request: ClaimRequest
  readonly start: ClaimStart
  readonly source: Source
}

interface Look extends Asked {
  readonly answer: ClaimAnswer
}

/** The values of `TAKE_BEST` behind the first. */
function lookValues({ request, start, source }: Asked, mayWait: boolean): readonly PgValue[] {
  const { holder, types, limit } = request
  return [holder, types, limit, mayWait, ...start.columns, source]
}

/** Others are to have their turn, and the transaction an end: what is left is found by the next claim. */
const MOST_LOOKS = 50

/** From the first look on: what has come due is put into the queue, and what is still asked for is looked for where there may be more. */
async function goOn(tx: Transaction, cursors: ClaimCursors, first: Look, looks = 1): Promise<ClaimAnswer> {
  const { request } = first
  let { answer } = first
  if (answer.due) {
    await promoteDue(tx)
    answer = await look(tx, first, true)
  }
  if (answer.suspects) return answer
  const { taken } = answer
  await settleMissed(tx, answer)
  const next = looks === MOST_LOOKS ? null : nextLook(cursors, { ...first, answer })
  if (next === null) return answer
  const rest = { ...next, request: { ...request, limit: request.limit - taken.length } }
  const more = await goOn(tx, cursors, { ...rest, answer: await look(tx, rest) }, looks + 1)
  const both = [...taken, ...more.taken].toSorted(inLaneOrder)
  return { ...more, suspects: more.suspects && taken.length === 0, taken: both }
}

/** Where a claim that got too little looks next; null: there is no more. */
function nextLook(cursors: ClaimCursors, asked: Look): Omit<Asked, 'request'> | null {
  const { request, start, source, answer } = asked
  const { taken, opened, foundAfterMs } = answer
  const isShort = taken.length < request.limit
  if (opened.length > 0) cursors.noteOpened(request.types)
  const isAlone = opened.length === 0 && source !== SOURCES.bundles && source !== SOURCES.bundled
  if (isAlone && cursors.note(start, { foundAfterMs, last: lastOfLanes(taken), isShort })) {
    return { start: cursors.start(), source }
  }
  const next = isShort ? nextSource(cursors, asked) : null
  return next === null ? null : { start: next === SOURCES.bundled ? FROM_FRONT : start, source: next }
}

function nextSource(cursors: ClaimCursors, { request, source, answer }: Look): Source | null {
  const { taken, opened, bundles } = answer
  // What comes behind the bundles that were opened, or before the first: others, or what stands alone.
  if (opened.length > 0 || (source === SOURCES.all && bundles && taken.length > 0)) return SOURCES.all
  switch (source) {
    case SOURCES.all: {
      // Others have in hand what comes before the bundles, or these.
      if (bundles) return SOURCES.bundles
      return cursors.beginStrayLook(request.types) ? SOURCES.bundled : null
    }
    case SOURCES.alone:
    case SOURCES.bundles:
      return SOURCES.bundled
    case SOURCES.bundled:
      return SOURCES.rest
    case SOURCES.rest:
      return null
  }
}

async function look(tx: Transaction, asked: Asked, mayWait = false): Promise<ClaimAnswer> {
  return readAnswer(await tx.lists(TAKE_BEST, tx.now, ...lookValues(asked, mayWait)))
}

/**
 * What was not found at the places of bundles has left the queue, as a rule. What has not, can be found one by one from now on; and then the
 * other places of these bundles are not to be relied on either.
 */
async function settleMissed(tx: Transaction, { opened, taken }: ClaimAnswer): Promise<void> {
  const used = opened.reduce((sum, bundle) => sum + bundle.used, 0)
  if (taken.length === used) return
  if (
    (await unbundle(
      tx,
      opened.map((each) => ({ ...each, start: each.start + each.taken })),
    )) > 0
  ) {
    const left = opened.map((each) => ({ ...each, used: each.size }))
    await unbundle(tx, left)
    await tx.rows(DROP_BUNDLES, ...columnsOf(left, ['created_in', 'start']))
  }
  if (taken.length === 0) await tx.rows(CLEAR, [...new Set(opened.map(({ lane }) => lane))])
}

async function unbundle(tx: Transaction, bundles: readonly OpenedBundle[]): Promise<number> {
  const [row] = await tx.rows(UNBUNDLE, ...columnsOf(bundles, ['created_in', 'start', 'used']))
  return Number(row?.['jobs'])
}

function columnsOf(bundles: readonly OpenedBundle[], names: readonly (keyof OpenedBundle)[]): readonly PgValue[] {
  return names.map((name) => bundles.map((bundle) => bundle[name]))
}

/** Where the claim has come to in each lane. */
function lastOfLanes(taken: readonly TakenJob[]): ReadonlyMap<number, LanePlace> {
  return new Map(taken.map((job) => [job.common.lane, job]))
}

const HEADS =
  `WITH ${LANES} SELECT x.id, x.priority, x.run_at, x.n, x.suspect FROM lanes CROSS JOIN LATERAL ((SELECT j.id, j.priority, j.run_at, j.n, j.suspect ` +
  'FROM millrace.jobs AS j WHERE j.lane = lanes.lane AND j.state = 2 AND NOT j.bundled AND (NOT j.suspect OR $5::boolean) ORDER BY j.priority, j.run_at, j.n LIMIT $4) ' +
  'UNION ALL (SELECT j.id, j.priority, j.run_at, j.n, false FROM millrace.jobs AS j WHERE j.lane = lanes.lane AND j.state = 2 AND j.bundled ' +
  'ORDER BY j.priority, j.run_at, j.n LIMIT $4)) AS x ' +
  'ORDER BY x.priority, x.run_at, x.n'
const RUNS_SUSPECT = 'SELECT 1 FROM millrace.jobs WHERE holder = $1 AND suspect LIMIT 1'
// Asked for the bare state, the planner may go through all jobs that are ready.
const LOCK_CHOSEN =
  'SELECT id FROM millrace.jobs WHERE id = ANY($1::uuid[]) AND state + 0 = 2 ORDER BY id FOR UPDATE SKIP LOCKED'
// Of two claims of one session at once, the second must see the suspect that the first has taken.
const LOCK_SESSION = 'SELECT 1 FROM millrace.sessions WHERE holder = $1 FOR NO KEY UPDATE'

/** The best of all lanes' heads, with at most one suspect, and none if the session already runs one. */
async function claimWithSuspects(tx: Transaction, { holder, types, limit }: ClaimRequest): Promise<ClaimAnswer> {
  await tx.rows(LOCK_SESSION, holder)
  const allowed = (await tx.rows(RUNS_SUSPECT, holder)).length === 0
  const heads = async (suspectsToo: boolean): Promise<readonly Head[]> =>
    (await tx.lists(HEADS, tx.now, holder, types, limit, suspectsToo, ...NO_CURSORS)) as unknown as readonly Head[]
  const best = await heads(allowed)
  const suspects = best.filter(isSuspect)
  const [first] = suspects
  // Where more than one suspect stands among them, the innocent ones behind them too.
  const chosen =
    suspects.length < 2 || first === undefined ? best : [first, ...(await heads(false))].toSorted(inHeadOrder)
  const ids = chosen.slice(0, limit).map(([id]) => id)
  const locked = (await tx.lists(LOCK_CHOSEN, ids)).map(([id]) => String(id))
  return readAnswer(await tx.lists(TAKE_CHOSEN, tx.now, holder, types, locked, null, ...NO_CURSORS))
}

type Head = readonly [id: string, priority: number, runAt: number, n: number, suspect: boolean]

function isSuspect({ 4: suspect }: Head): boolean {
  return suspect
}

function inHeadOrder([, priority, runAt, n]: Head, [, otherPriority, otherRunAt, otherN]: Head): number {
  return inLaneOrder({ priority, runAt, n }, { priority: otherPriority, runAt: otherRunAt, n: otherN })
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
  { taken, labels: hasLabels }: ClaimAnswer,
): Promise<readonly ClaimedJob[]> {
  const resumed = taken.filter(({ common }) => common.phase > 0).map(({ id }) => id)
  const results = resumed.length === 0 ? new Map<string, string[]>() : await resultsOf(tx, resumed)
  const ids = hasLabels ? taken.map(({ id }) => id) : []
  const labels = ids.length > 0 ? await tx.rows(LABELS, ids) : []
  const labelsById = new Map(labels.map((row) => [String(row['job']), labelsOf(row['labels'])]))
  const known = new Map<CommonColumns, Shared>()
  const jobs: ClaimedJob[] = []
  for (const { id, common, tenant, owner, input, createdAt, runAt, ctid } of taken) {
    let shared = known.get(common)
    if (shared === undefined) known.set(common, (shared = await readShared(tx, names, common)))
    const { type, queue, policy, phaseNames } = shared
    const { fence, attempt, generation, failures, phase, progress, deadlineAt } = common
    jobs.push({
      claim: { jobId: id, holder, fence, ctid },
      type,
      queue,
      tenant,
      owner,
      labels: labelsById.get(id) ?? NO_LABELS,
      policy,
      input,
      attempt,
      generation,
      failures,
      phaseNames,
      phase,
      results: results.get(id) ?? NO_RESULTS,
      progress,
      createdAt,
      runAt,
      startedAt: tx.now,
      deadlineAt,
    })
  }
  return jobs
}

type Shared = Pick<ClaimedJob, 'type' | 'queue' | 'policy' | 'phaseNames'>

async function readShared(tx: Transaction, names: Names, common: CommonColumns): Promise<Shared> {
  const type = await names.typeOf(tx.rows, common.type, common.revision)
  const { queue } = await names.laneOf(tx.rows, common.lane)
  return { type: type.name, queue, policy: type.policy, phaseNames: await names.phaseNames(tx.rows, common.phase_list) }
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

/** Bounded, so that a great many jobs coming due at once don't hold up everything else: the next claim goes on. */
const PROMOTED_AT_ONCE = 1_000

const PROMOTE_DUE =
  'WITH due AS MATERIALIZED (SELECT ctid AS place FROM millrace.jobs WHERE state IN (1, 4) AND run_at >= 0 AND run_at <= $1 ORDER BY run_at, n LIMIT $2 FOR UPDATE SKIP LOCKED), ' +
  `moved AS (UPDATE millrace.jobs AS j SET ${changesSql(PROMOTE)} FROM due WHERE j.ctid = due.place ` +
  'RETURNING j.id, j.event_seq, j.attempt, j.run_at, j.n), ' +
  `${numberedSql('moved')}, told AS (INSERT INTO millrace.events (commit, idx, job, seq, code, at, attempt, detail) SELECT numbered.n, ` +
  `row_number() OVER (ORDER BY m.run_at, m.n) - 1, m.id, m.event_seq, ${EVENT_CODES['job:queued']}, $1, m.attempt, $3 FROM moved AS m, numbered) ` +
  'SELECT count(*) AS moved FROM moved'

export async function promoteDue(tx: Transaction): Promise<number> {
  const detail = JSON.stringify({ cause: PROMOTE.name })
  const [row] = await tx.rows(PROMOTE_DUE, tx.now, PROMOTED_AT_ONCE, detail)
  return Number(row?.['moved'] ?? 0)
}
