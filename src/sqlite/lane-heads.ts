/** What stands at the head of lanes, with all that a worker needs to know of it. Nothing is taken here. */
import type { ClaimRequest } from '../store/claims.ts'
import { STARTED } from '../store/event-lists.ts'
import { INPUT } from './bodies.ts'
import { isListed } from './compile.ts'
import type { Database } from './database.ts'
import type { Row, SqlValue } from './driver.ts'
import type { JobColumns } from './packed-claim.ts'

/** A type's jobs of one queue. */
export interface Lane {
  readonly n: number
  /** The name of the type. */
  readonly type: string
}

/** Jobs of one lane. */
export interface LanePage {
  readonly lane: Lane
  /** In the order in which they are to start. */
  readonly keys: readonly number[]
  /** Those whose starts no list may tell. */
  readonly told: readonly number[]
  readonly columns: JobColumns
  /** The names of phases that the jobs refer to. */
  readonly phaseLists: ReadonlyMap<number, readonly string[]>
  /** Inputs that are too long for the job's row, by key; null: none is. */
  readonly bodies: ReadonlyMap<number, string> | null
  /** Of the phases that are done, by key; null: no job has one. */
  readonly results: ReadonlyMap<number, readonly string[]> | null
}

export interface Chosen {
  readonly pages: readonly LanePage[]
  /** Of all pages, in the order in which they are to start. */
  readonly keys: readonly number[]
}

const COLUMNS =
  'c.n, c.id, c.suspect, c.fence, c.attempt, c.generation, c.failures, c.event_seq, c.phase, c.phase_count, c.phase_list, ' +
  'c.created_at, c.run_at, c.tenant, c.owner, c.input'

const IS_UNTRIED = 'fence = 0 AND attempt = 0 AND generation = 1 AND failures = 0 AND phase = 0'
const TRIED = `iif(${IS_UNTRIED}, NULL, json_array(fence + 1, attempt + 1, generation, failures, phase))`
const LABELS = '(SELECT json_group_object(l.name, l.content) FROM millrace_labels AS l WHERE l.job = j.n)'

/** `json` says of what comes as text that it is JSON: the database may have forgotten it. */
const BESIDE = `iif(tenant = '' AND owner IS NULL AND ${IS_UNTRIED}, 0, json_array(tenant, owner, json(${TRIED})))`
const BESIDE_LABELS = `json_array(tenant, owner, json(${TRIED}), json(${LABELS}))`

/** Of the jobs that `source` selects. */
function pageSql(source: string, beside: string): string {
  return (
    'SELECT total(suspect) AS suspects, count(*) - count(input) AS without, min(phase_list) AS least, max(phase_list) AS greatest, max(phase) AS phase, ' +
    `json_group_array(n) FILTER (WHERE NOT (${isListed(STARTED)})) AS told, json_group_array(n) AS keys, ` +
    "lower(group_concat(hex(id), '')) AS ids, json_group_array(input) AS inputs, json_group_array(created_at) AS created, " +
    'json_group_array(run_at - created_at) AS waits, json_group_array(phase_list) AS lists, ' +
    `json_group_array(${beside}) AS beside FROM (${source}) AS j`
  )
}

interface PageOf {
  readonly bare: string
  readonly labelled: string
}

function pageOf(source: string): PageOf {
  return { bare: pageSql(source, BESIDE), labelled: pageSql(source, BESIDE_LABELS) }
}

const HEAD =
  'FROM millrace_jobs AS c WHERE c.lane = ? AND c.state = 2 AND (c.suspect = 0 OR ?) ORDER BY c.priority, c.run_at, c.n LIMIT ?'
const HEAD_OF_LANE = pageOf(`SELECT ${COLUMNS} ${HEAD}`)
const CHOSEN = pageOf(`SELECT ${COLUMNS} FROM json_each(?) AS s CROSS JOIN millrace_jobs AS c ON c.n = s.value`)

/** For most claims: there is one lane, and none at its head is suspect. Null: it is not so simple. */
export function readLane(db: Database, lane: Lane, limit: number): Chosen | null {
  const { page, suspects } = readPage(db, lane, HEAD_OF_LANE, [lane.n, 1, limit])
  if (suspects > 0) return null
  return page.keys.length === 0 ? { pages: [], keys: [] } : { pages: [page], keys: page.keys }
}

/** The best of all lanes, with at most one suspect, and none if the session already runs one. */
export function readLanes(
  db: Database,
  lanes: readonly Lane[],
  { holder, limit }: Omit<ClaimRequest, 'types'>,
): Chosen {
  const heads = bestOf(headsOf(db, lanes, { holder, limit }), limit)
  const byLane = Map.groupBy(heads, ({ 4: lane }) => lane)
  const pages = lanes.flatMap((lane) => {
    const keys = byLane.get(lane.n)?.map(([n]) => n)
    return keys === undefined ? [] : [readPage(db, lane, CHOSEN, [JSON.stringify(keys)]).page]
  })
  return { pages, keys: heads.map(([n]) => n) }
}

function readPage(
  db: Database,
  lane: Lane,
  { bare, labelled }: PageOf,
  values: readonly SqlValue[],
): { readonly page: LanePage; readonly suspects: number } {
  const row = db.get(db.anyLabels() ? labelled : bare, ...values) ?? {}
  const keys = JSON.parse(String(row['keys'])) as readonly number[]
  const told = JSON.parse(String(row['told'])) as readonly number[]
  const phaseLists = new Map(listsAmong(db, row, keys).map((list) => [list, db.phaseNames(list)]))
  const bodies = row['without'] === 0 ? null : bodiesOf(db, keys)
  const results = Number(row['phase']) === 0 ? null : resultsOf(db, keys)
  const columns = columnsOf(row as unknown as JobColumns)
  return { page: { lane, keys, told, columns, phaseLists, bodies, results }, suspects: Number(row['suspects']) }
}

function columnsOf({ keys, ids, inputs, created, waits, lists, beside }: JobColumns): JobColumns {
  return { keys, ids, inputs, created, waits, lists, beside }
}

/** Most of the time the least and the greatest are the same. */
function listsAmong(db: Database, { least = null, greatest = null }: Row, keys: readonly number[]): readonly number[] {
  if (least === null) return []
  if (least === greatest) return [Number(least)]
  return db.lists(LISTS, JSON.stringify(keys)).map(([list]) => Number(list))
}

const LISTS = 'SELECT DISTINCT j.phase_list FROM json_each(?) AS s CROSS JOIN millrace_jobs AS j ON j.n = s.value'

function bodiesOf(db: Database, keys: readonly number[]): ReadonlyMap<number, string> {
  const rows = db.lists(BODIES, JSON.stringify(keys), INPUT)
  return new Map(rows as unknown as readonly (readonly [job: number, body: string])[])
}

const BODIES =
  'SELECT b.job, b.body FROM json_each(?) AS s CROSS JOIN millrace_bodies AS b ON b.job = s.value AND b.kind = ?'

function resultsOf(db: Database, keys: readonly number[]): ReadonlyMap<number, readonly string[]> {
  const rows = db.lists(RESULTS, JSON.stringify(keys)) as unknown as readonly (readonly [job: number, result: string])[]
  const byJob = Map.groupBy(rows, ([job]) => job)
  return new Map([...byJob].map(([job, mine]) => [job, mine.map(([, result]) => result)]))
}

// A retry begins at a phase of old, and what came of those behind it is kept until they are done again.
const RESULTS =
  'SELECT p.job, p.result FROM json_each(?) AS s CROSS JOIN millrace_jobs AS j ON j.n = s.value ' +
  'CROSS JOIN millrace_phases AS p ON p.job = j.n AND p.ordinal < j.phase ORDER BY p.job, p.ordinal'

type Head = readonly [n: number, priority: number, runAt: number, suspect: 0 | 1, lane: number]

const HEADS = `SELECT n, priority, run_at, suspect, lane ${HEAD}`
const RUNNING_SUSPECT = 'SELECT 1 FROM millrace_jobs WHERE holder = ? AND suspect = 1 LIMIT 1'

function headsOf(
  db: Database,
  lanes: readonly Lane[],
  { holder, limit }: Omit<ClaimRequest, 'types'>,
): readonly Head[] {
  const read = (suspectAllowed: 0 | 1): readonly Head[] =>
    lanes.flatMap(({ n }) => db.lists(HEADS, n, suspectAllowed, limit) as unknown as readonly Head[])
  const heads = read(1)
  const firstSuspect = heads.filter(isSuspect).toSorted(inOrder)[0]
  if (firstSuspect === undefined) return heads
  // As many as were asked for must be found behind the suspects that are left.
  const innocent = read(0)
  const mayRun = db.get(RUNNING_SUSPECT, holder) === undefined
  return mayRun ? [...innocent, firstSuspect] : innocent
}

function bestOf(heads: readonly Head[], limit: number): readonly Head[] {
  return heads.toSorted(inOrder).slice(0, limit)
}

function inOrder([n, priority, runAt]: Head, [otherN, otherPriority, otherRunAt]: Head): number {
  return priority - otherPriority || runAt - otherRunAt || n - otherN
}

function isSuspect({ 3: suspect }: Head): boolean {
  return suspect === 1
}
