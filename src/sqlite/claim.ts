/**
 * Taking jobs: promote what is due, read the best of each lane's head, take them under the claim plan. What a worker needs to know of them is
 * gathered by the database into one text for each lane, which nobody reads before the worker's own thread does: the thread that writes has
 * enough to do. They are read before they are taken and not after, which costs half as much; in between nothing can change, since the
 * transaction holds the lock.
 */
import { CLAIM, PROMOTE } from '../core/plans.ts'
import { OPERATOR } from '../core/scope.ts'
import type { ClaimRequest } from '../store/claims.ts'
import { compileMany, deadlineOf } from './compile.ts'
import type { PlanInputs } from './compile.ts'
import type { Database } from './database.ts'
import type { StoredType } from '../store/job-types.ts'
import { nextPosition, writeList } from './event-lists.ts'
import { writeEvents, writeListed } from './history.ts'
import { readLane, readLanes } from './lane-heads.ts'
import type { Lane, LanePage } from './lane-heads.ts'
import type { PackedClaim, PackedPage } from './packed-claim.ts'
import { nullableNumber } from '../store/columns.ts'
import { startedIn } from '../store/event-detail.ts'
import { STARTED } from '../store/event-lists.ts'
import { updateMany } from './update-many.ts'

export function claimJobs(db: Database, request: ClaimRequest): PackedClaim {
  promoteDue(db)
  const { holder, limit } = request
  const session = db.get(OPEN_SESSION, holder, db.now)
  if (session === undefined) return { pages: [], order: null, at: db.now, nextDueInMs: null, sessionLost: true }
  const { n = null, service = null, epoch = null } = session
  const lanes = lanesOf(db, request.types, [service, epoch])
  const [lane] = lanes
  const only = lane !== undefined && lanes.length === 1 ? readLane(db, lane, limit) : null
  const { pages, keys } = only ?? readLanes(db, lanes, { holder, limit })
  const taken = takeJobs(db, { pages, keys, holder, session: Number(n) })
  const order = pages.length > 1 ? keys : null
  return { pages: taken, order, at: db.now, nextDueInMs: nextDueInMs(db, request.types), sessionLost: false }
}

const OPEN_SESSION =
  'SELECT n, service, epoch FROM millrace_sessions WHERE holder = ? AND ended_at IS NULL AND expires_at > ?'

const LANES_OF_TYPES =
  'SELECT l.n AS lane, t.name AS type FROM json_each(?) AS wanted CROSS JOIN millrace_types AS t ON t.name = wanted.value ' +
  'CROSS JOIN millrace_lanes AS l ON l.type = t.n CROSS JOIN millrace_queues AS q ON q.n = l.queue WHERE q.paused_at IS NULL ' +
  'AND (t.service IS NULL OR t.service = ?) AND t.epoch <= ?'

function lanesOf(db: Database, types: readonly string[], claimant: readonly PlanInputs['key'][]): readonly Lane[] {
  const rows = db.all(LANES_OF_TYPES, JSON.stringify([...new Set(types)]), ...claimant)
  return rows.map(({ lane, type }) => ({ n: Number(lane), type: String(type) }))
}

interface Take {
  readonly pages: readonly LanePage[]
  /** Of all pages, in the order in which they are to start. */
  readonly keys: readonly number[]
  readonly holder: number
  readonly session: number
}

function takeJobs(db: Database, { pages, keys, holder, session }: Take): readonly PackedPage[] {
  if (keys.length === 0) return []
  const position = nextPosition(db)
  const packed = pages.map((page): PackedPage => {
    const type = typeOf(db, page)
    const { policy } = type
    const values = { holder, timeoutMs: policy.timeoutMs }
    const inputs = { now: db.now, scope: OPERATOR, claim: null, values, session, listAt: position }
    const taken = updateMany(db, TAKE, inputs, page.keys)
    if (taken !== page.keys.length) throw new RangeError('jobs that had been chosen were not there to be taken')
    const { columns, phaseLists, bodies, results } = page
    const queue = db.queueOfLane(page.lane.n)
    return { type: type.name, queue, policy, deadlineAt: deadlineOf(inputs), phaseLists, columns, bodies, results }
  })
  tellStarts(db, { keys, position, told: pages.flatMap(({ told }) => told) })
  return packed
}

const TAKE = compileMany(CLAIM, STARTED)

function typeOf(db: Database, { lane: { type } }: LanePage): StoredType {
  const found = db.findType(type)
  if (found === undefined) throw new RangeError(`there is no type ${type}`)
  return found
}

interface Starts {
  readonly keys: readonly number[]
  /** Where the list of them is going to be. */
  readonly position: number
  /** Those whose starts it does not tell. */
  readonly told: readonly number[]
}

function tellStarts(db: Database, { keys, position, told }: Starts): void {
  const start = { event: 'job:started', listed: STARTED, position, jobs: keys } as const
  if (told.length === 0) {
    writeList(db, start)
    return
  }
  const details = new Map(db.lists(PHASES_AT, JSON.stringify(told)).map(([n, list, phase]) => [n, { list, phase }]))
  writeListed(db, {
    ...start,
    details: keys.map((n) => {
      const at = details.get(n)
      return at === undefined
        ? null
        : startedIn({ phaseNames: db.phaseNames(Number(at.list)), phase: Number(at.phase) })
    }),
    isListed: keys.map((n) => !details.has(n)),
  })
}

const PHASES_AT =
  'SELECT j.n, j.phase_list, j.phase FROM json_each(?) AS s CROSS JOIN millrace_jobs AS j ON j.n = s.value'

const DUE = 'SELECT n FROM millrace_jobs WHERE state IN (1, 4) AND run_at <= ? ORDER BY run_at, n LIMIT ?'
const NEXT_DUE = 'SELECT min(run_at) AS at FROM millrace_jobs WHERE state IN (1, 4) AND type = ?'

/** Bounded, so that a great many jobs coming due at once don't hold up everything else: the next claim goes on. */
const PROMOTED_AT_ONCE = 1_000

const PROMOTE_MANY = compileMany(PROMOTE)

export function promoteDue(db: Database): number {
  const due = db.lists(DUE, db.now, PROMOTED_AT_ONCE).map(([n]) => Number(n))
  if (due.length === 0) return 0
  const promoted = updateMany(
    db,
    PROMOTE_MANY,
    { now: db.now, scope: OPERATOR, claim: null, values: {}, session: null },
    due,
  )
  if (promoted !== due.length) throw new RangeError('jobs that had come due were not promoted')
  const detail = JSON.stringify({ cause: PROMOTE.name })
  writeEvents(db, { event: 'job:queued', jobs: due, details: due.map(() => detail) })
  return due.length
}

function nextDueInMs(db: Database, types: readonly string[]): number | null {
  const dues = types.flatMap((name) => {
    const type = db.findType(name)
    return type === undefined ? [] : (nullableNumber(db.get(NEXT_DUE, type.n)?.['at']) ?? [])
  })
  return dues.length === 0 ? null : Math.max(0, Math.min(...dues) - db.now)
}
