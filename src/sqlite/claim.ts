/**
 * Taking jobs: promote what is due, look at the head of each lane, take the best under the claim plan. All that is taken of one type is
 * taken by one statement, which returns its rows as lists: that costs a third of a statement for each.
 */
import type { Plan } from '../core/plan.ts'
import { CLAIM, PROMOTE } from '../core/plans.ts'
import { OPERATOR } from '../core/scope.ts'
import type { ClaimRequest } from '../store/claims.ts'
import { INPUT, readBody } from './bodies.ts'
import { compilePlan, deadlineOf } from './compile.ts'
import type { CompiledCase, PlanInputs } from './compile.ts'
import type { Database } from './database.ts'
import type { StoredType } from '../store/job-types.ts'
import type { Row, SqlValue } from './driver.ts'
import { nextPosition } from './event-lists.ts'
import { writeEvents, writeListed } from './history.ts'
import { NO_LABELS, NO_RESULTS } from './packed-claim.ts'
import type { ClaimKind, PackedClaim, PackedJob, Tried } from './packed-claim.ts'
import { nullableNumber } from '../store/columns.ts'
import { startedIn } from '../store/event-detail.ts'
import { STARTED } from '../store/event-lists.ts'
import type { ListedEvent } from '../store/event-lists.ts'
import { labelsOf } from './rows.ts'

export function claimJobs(db: Database, request: ClaimRequest): PackedClaim {
  promoteDue(db)
  const session = db.get(OPEN_SESSION, request.holder, db.now)
  if (session === undefined) return { kinds: [], jobs: [], at: db.now, nextDueInMs: null, sessionLost: true }
  const { service = null, epoch = null } = session
  const lanes = db.all(LANES_OF_TYPES, JSON.stringify([...new Set(request.types)]), service, epoch)
  const heads = laneHeads(db, lanes, request)
  const taken = takeJobs(db, lanes, heads, { holder: request.holder, session: Number(session['n']) })
  return { ...taken, at: db.now, nextDueInMs: nextDueInMs(db, request.types), sessionLost: false }
}

const OPEN_SESSION =
  'SELECT n, service, epoch FROM millrace_sessions WHERE holder = ? AND ended_at IS NULL AND expires_at > ?'

const LANES_OF_TYPES =
  'SELECT l.n AS lane, t.name AS type FROM json_each(?) AS wanted CROSS JOIN millrace_types AS t ON t.name = wanted.value ' +
  'CROSS JOIN millrace_lanes AS l ON l.type = t.n CROSS JOIN millrace_queues AS q ON q.n = l.queue WHERE q.paused_at IS NULL ' +
  'AND (t.service IS NULL OR t.service = ?) AND t.epoch <= ?'

const LANE_HEAD =
  'SELECT n, priority, run_at, suspect, lane FROM millrace_jobs WHERE lane = ? AND state = 2 AND (suspect = 0 OR ?) ' +
  'ORDER BY priority, run_at, n LIMIT ?'

const RUNNING_SUSPECT = 'SELECT 1 FROM millrace_jobs WHERE holder = ? AND suspect = 1 LIMIT 1'

/** A row as it came: there are many of them, and most are only handed on. */
type Head = readonly [n: number, priority: number, runAt: number, suspect: 0 | 1, lane: number]

/** The best of all lanes' heads, with at most one suspect, and none if the session already runs one. */
function laneHeads(db: Database, lanes: readonly Row[], { holder, limit }: ClaimRequest): readonly Head[] {
  const suspectAllowed = db.get(RUNNING_SUSPECT, holder) === undefined
  const heads = lanes.flatMap(({ lane = null }) => laneRows(db, lane, suspectAllowed, limit))
  if (lanes.length > 1) heads.sort(inOrder)
  const firstSuspect = heads.findIndex(isSuspect)
  const chosen = firstSuspect === -1 ? heads : heads.filter((head, index) => !isSuspect(head) || index === firstSuspect)
  return chosen.length <= limit ? chosen : chosen.slice(0, limit)
}

function inOrder([n, priority, runAt]: Head, [otherN, otherPriority, otherRunAt]: Head): number {
  return priority - otherPriority || runAt - otherRunAt || n - otherN
}

function isSuspect({ 3: suspect }: Head): boolean {
  return suspect === 1
}

/** As many as asked for; where more than one suspect stands among them, the innocent ones behind them too. */
function laneRows(db: Database, lane: SqlValue, suspectAllowed: boolean, limit: number): readonly Head[] {
  const rows = db.lists(LANE_HEAD, lane, suspectAllowed ? 1 : 0, limit) as unknown as readonly Head[]
  const suspects = rows.filter(isSuspect)
  if (suspects.length < 2) return rows
  const innocent = db.lists(LANE_HEAD, lane, 0, limit) as unknown as readonly Head[]
  return [...suspects.slice(0, 1), ...innocent].toSorted(inOrder)
}

interface Taker {
  readonly holder: number
  readonly session: number
}

function takeJobs(
  db: Database,
  lanes: readonly Row[],
  heads: readonly Head[],
  taker: Taker,
): Pick<PackedClaim, 'kinds' | 'jobs'> {
  const types = new Map(lanes.map(({ lane, type }) => [Number(lane), String(type)]))
  const kinds = new Kinds(db)
  const taken: Taken[] = []
  const position = heads.length === 0 ? 0 : nextPosition(db)
  for (const [name, mine] of Map.groupBy(heads, ({ 4: lane }) => types.get(lane))) {
    const type = name === undefined ? undefined : db.findType(name)
    if (type !== undefined) taken.push(...takeOfType(db, { type, heads: mine, taker, kinds, position }))
  }
  const ordered = inOrderOf(heads, taken)
  writeListed(db, {
    event: 'job:started',
    listed: STARTED,
    position,
    jobs: ordered.map(({ job: [, row] }) => row),
    details: ordered.map(({ detail }) => detail),
    isListed: ordered.map(({ startedIn: at }) => at === position),
  })
  return { kinds: kinds.list, jobs: ordered.map(({ job }) => job) }
}

/** The database returns rows in an order of its own, which most of the time is the right one. */
function inOrderOf(heads: readonly Head[], taken: readonly Taken[]): readonly Taken[] {
  if (taken.every(({ job }, index) => job[1] === heads[index]?.[0])) return taken
  const byRow = new Map(taken.map((each) => [each.job[1], each]))
  return heads.map(([n]) => byRow.get(n)).filter((each) => each !== undefined)
}

/**
 * A column less is a twentieth of a claim, so what is the same for nearly all is not read: `tried` is null of a job that nothing has happened
 * to, and whose start a list tells; 0 where a row tells it; JSON of all that it may be otherwise.
 */
const IS_UNTRIED = 'fence = 1 AND attempt = 1 AND generation = 1 AND failures = 0 AND phase = 0'
const TRIED =
  `iif(${IS_UNTRIED}, iif(event_seq = ${STARTED.seq} AND phase_count = 1, NULL, 0), ` +
  `json_array(fence, attempt, generation, failures, phase, ${STARTED.column}))`
const CLAIM_RETURNS = ['n', 'phase_list', 'lower(hex(id))', 'tenant', 'owner', 'input', 'created_at', TRIED]

/** The columns of `CLAIM_RETURNS`. */
type ClaimedRow = readonly [
  n: number,
  phaseList: number,
  id: string,
  tenant: string,
  owner: string | null,
  input: string | null,
  createdAt: number,
  tried: string | 0 | null,
]

const UNTRIED: Tried = { fence: 1, attempt: 1, generation: 1, failures: 0, phase: 0, progress: 0 }

interface ReadTried {
  readonly tried: ClaimedRow[7]
  /** Of this claim's list. */
  readonly position: number
  /** Of phases. */
  readonly count: number
}

/** How a job has fared, and which list tells of its start, if any does. A claim begins with the progress of the phases that are done. */
function readTried({ tried, position, count }: ReadTried): readonly [Tried, number | null] {
  if (tried === null) return [UNTRIED, position]
  if (tried === 0) return [UNTRIED, null]
  const [fence = 0, attempt = 0, generation = 0, failures = 0, phase = 0, listAt = 0] = JSON.parse(tried) as number[]
  return [{ fence, attempt, generation, failures, phase, progress: (100 * phase) / count }, listAt]
}

const CLAIM_LIST = onlyCase(CLAIM, CLAIM_RETURNS, STARTED)

interface Taken {
  readonly job: PackedJob
  /** What its start tells, JSON text. */
  readonly detail: string | null
  /** Which list tells of its first start; null: none. */
  readonly startedIn: number | null
}

interface TakeOfType {
  readonly type: StoredType
  readonly heads: readonly Head[]
  readonly taker: Taker
  readonly kinds: Kinds
  /** Where the list of those that are taken is going to be. */
  readonly position: number
}

function takeOfType(db: Database, { type, heads, taker, kinds, position }: TakeOfType): readonly Taken[] {
  const { holder, session } = taker
  const values = { holder, timeoutMs: type.policy.timeoutMs }
  const key = JSON.stringify(heads.map(([n]) => n))
  const inputs: PlanInputs = { key, now: db.now, scope: OPERATOR, claim: null, values, session, listAt: position }
  const rows = db.lists(CLAIM_LIST.sql, ...CLAIM_LIST.values(inputs)) as unknown as readonly ClaimedRow[]
  const deadlineAt = deadlineOf(inputs)
  const headOf = finder(heads)
  return rows.map((row, index) => {
    const [n, phaseList, id, tenant, owner, input, createdAt, tried] = row
    const [, , runAt, , lane] = headOf(n, index)
    const phaseNames = db.phaseNames(phaseList)
    const [fared, listAt] = readTried({ tried, position, count: phaseNames.length })
    const kind = kinds.numberOf({ type, lane, phaseNames, tenant, owner, deadlineAt, fared })
    const beside = besideOf(db, n, fared.phase)
    const job: PackedJob = [kind, n, id, readBody(db, n, INPUT, input) ?? 'null', createdAt, runAt, beside]
    return { job, detail: startedIn({ phaseNames, phase: fared.phase }), startedIn: listAt }
  })
}

/** The database returns rows in an order of its own, which most of the time is that of the heads. */
function finder(heads: readonly Head[]): (n: number, index: number) => Head {
  let byKey: ReadonlyMap<number, Head> | null = null
  return (n, index) => {
    const head = heads[index]
    if (head?.[0] === n) return head
    byKey ??= new Map(heads.map((each) => [each[0], each]))
    const found = byKey.get(n)
    if (found === undefined) throw new RangeError('a job was taken that was not chosen')
    return found
  }
}

const RESULTS = 'SELECT result FROM millrace_phases WHERE job = ? AND ordinal < ? ORDER BY ordinal'

function besideOf(db: Database, n: number, phase: number): PackedJob[6] {
  const labels = db.anyLabels() ? labelsOf(db, n) : null
  if (labels === null && phase === 0) return null
  const results = phase === 0 ? NO_RESULTS : db.all(RESULTS, n, phase).map(({ result }) => String(result))
  return { labels: labels ?? NO_LABELS, results }
}

/** A plan of many jobs that applies in one way or not at all. */
function onlyCase(plan: Plan, returning: readonly string[], listed?: ListedEvent): CompiledCase {
  const [only] = compilePlan({
    plan,
    role: 'operator',
    key: 'list',
    returning,
    ...(listed === undefined ? {} : { listed }),
  })
  if (only === undefined) throw new RangeError(`plan ${plan.name} never applies`)
  return only
}

/** What makes jobs one kind. */
interface Kind {
  readonly type: StoredType
  readonly lane: number
  readonly phaseNames: readonly string[]
  readonly tenant: string
  readonly owner: string | null
  readonly deadlineAt: number | null
  readonly fared: Tried
}

/** What jobs have in common travels once. */
class Kinds {
  readonly list: ClaimKind[] = []
  readonly #db: Database
  readonly #numbers = new Map<string, number>()
  #last: { readonly kind: Kind; readonly number: number } | null = null

  constructor(db: Database) {
    this.#db = db
  }

  numberOf(kind: Kind): number {
    if (this.#last === null || !isLike(this.#last.kind, kind)) this.#last = { kind, number: this.#lookUp(kind) }
    return this.#last.number
  }

  #lookUp({ type: { name: type, policy }, lane, phaseNames, tenant, owner, deadlineAt, fared }: Kind): number {
    const name = JSON.stringify([lane, phaseNames, tenant, owner, ...Object.values(fared)])
    const known = this.#numbers.get(name)
    if (known !== undefined) return known
    const queue = this.#db.queueOfLane(lane)
    this.list.push({ type, queue, policy, phaseNames, tenant, owner, deadlineAt, ...fared })
    this.#numbers.set(name, this.list.length - 1)
    return this.list.length - 1
  }
}

/** A lane is of one type, and lists of phases and the untried are one and the same. */
function isLike(one: Kind, other: Kind): boolean {
  const sameLane = one.lane === other.lane && one.phaseNames === other.phaseNames
  return sameLane && one.tenant === other.tenant && one.owner === other.owner && one.fared === other.fared
}

const DUE = 'SELECT n FROM millrace_jobs WHERE state IN (1, 4) AND run_at <= ? ORDER BY run_at, n LIMIT ?'
const NEXT_DUE = 'SELECT min(run_at) AS at FROM millrace_jobs WHERE state IN (1, 4) AND type = ?'

/** Bounded, so that a great many jobs coming due at once don't hold up everything else: the next claim goes on. */
const PROMOTED_AT_ONCE = 1_000

const PROMOTE_LIST = onlyCase(PROMOTE, ['n'])

export function promoteDue(db: Database): number {
  const due = db.lists(DUE, db.now, PROMOTED_AT_ONCE).map(([n]) => Number(n))
  if (due.length === 0) return 0
  const key = JSON.stringify(due)
  const inputs: PlanInputs = { key, now: db.now, scope: OPERATOR, claim: null, values: {}, session: null }
  const promoted = new Set(db.lists(PROMOTE_LIST.sql, ...PROMOTE_LIST.values(inputs)).map(([n]) => Number(n)))
  const jobs = due.filter((n) => promoted.has(n))
  const detail = JSON.stringify({ cause: PROMOTE.name })
  writeEvents(db, { event: 'job:queued', jobs, details: jobs.map(() => detail) })
  return jobs.length
}

function nextDueInMs(db: Database, types: readonly string[]): number | null {
  const dues = types.flatMap((name) => {
    const type = db.findType(name)
    return type === undefined ? [] : (nullableNumber(db.get(NEXT_DUE, type.n)?.['at']) ?? [])
  })
  return dues.length === 0 ? null : Math.max(0, Math.min(...dues) - db.now)
}
