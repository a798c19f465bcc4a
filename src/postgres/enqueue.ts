/**
 * Adding jobs. Most have no key: all that arrive together are one statement, committed by itself. Its ids tell, should the answer be lost,
 * whether it took place.
 *
 * A job with a key may turn out to be there already. Whoever inserts the key's row has it, and everybody else waits for that transaction and
 * finds the row then: the unique index decides, not a look beforehand. Rows of keys are taken in one order, so that no two transactions
 * wait for each other.
 */
import { DEFAULTS } from '../core/limits.ts'
import type { Enqueued, NewJob } from '../store/jobs.ts'
import { stateOf } from '../store/codes.ts'
import { NOW } from './database.ts'
import type { PgValue, RunRows } from './driver.ts'
import type { Names, TypeEntry } from './names.ts'
import { inputHash } from '../store/input-hash.ts'
import { CREATED } from '../store/event-lists.ts'
import { bundleSql, manySql } from './bundle-sql.ts'
import { numberedSql } from './tell-sql.ts'

interface PlacedType extends Omit<TypeEntry, 'revision'> {
  /** What it must still be; null: whatever it is. */
  readonly revision: number | null
}

/** A job with the numbers of its names. */
export interface PlacedJob {
  readonly job: NewJob
  readonly type: PlacedType
  readonly lane: number
  readonly phaseList: number
}

export async function placeJobs(names: Names, jobs: readonly NewJob[]): Promise<readonly PlacedJob[]> {
  const placed: PlacedJob[] = []
  for (const job of jobs) {
    const before = placed.at(-1)
    placed.push(before !== undefined && isOfOneKind(before.job, job) ? { ...before, job } : await placeJob(names, job))
  }
  return placed
}

/** Many that come together have the same names, which are looked up once then. */
function isOfOneKind(one: NewJob, other: NewJob): boolean {
  return one.type === other.type && one.queue === other.queue && one.policy === other.policy
}

async function placeJob(names: Names, job: NewJob): Promise<PlacedJob> {
  const type = await names.internType(job.type, job.queue, job.policy)
  const lane = await names.internLane(type.n, job.queue)
  return { job, type, lane, phaseList: await names.internPhaseList(type.policy.phases) }
}

/** Added whatever has become of their types since: in a transaction that does not see what others have committed, nobody could tell. */
export function asPlaced(placed: readonly PlacedJob[]): readonly PlacedJob[] {
  const types = new Map(placed.map(({ type }) => [type, { ...type, revision: null }]))
  return placed.map((one) => ({ ...one, type: types.get(one.type) ?? one.type }))
}

export function isKeyed({ key, uniqueKey }: NewJob): boolean {
  return key !== null || uniqueKey !== null
}

// A type that has changed since it was looked up makes the whole statement add nothing. An id that is there already is an error.
const ADD =
  `WITH clock AS MATERIALIZED (SELECT ${NOW} AS now), ` +
  'fresh AS MATERIALIZED (SELECT coalesce(bool_and(v.revision IS NULL OR t.revision = v.revision), false) AS yes FROM unnest($2::integer[], $3::integer[]) AS v (n, revision) ' +
  'LEFT JOIN millrace.types AS t ON t.n = v.n), ' +
  'new AS MATERIALIZED (SELECT v.*, coalesce(v.run_at, clock.now + v.delay_ms) AS due, clock.now FROM clock, fresh, ' +
  'unnest($4::uuid[], $5::integer[], $6::integer[], $7::integer[], $8::bigint[], $9::bigint[], $10::integer[], $11::integer[], $12::text[], ' +
  '$13::text[], $14::text[], $15::text[], $16::text[]) WITH ORDINALITY AS v (id, type, lane, priority, run_at, delay_ms, phase_count, phase_list, ' +
  'tenant, owner, unique_key, idempotency_key, input, ord) WHERE fresh.yes), ' +
  'added AS (INSERT INTO millrace.jobs (id, type, lane, state, priority, run_at, phase_count, phase_list, created_at, updated_at, tenant, ' +
  'owner, unique_key, idempotency_key, input) SELECT id, type, lane, CASE WHEN due > now THEN 1 ELSE 2 END, priority, due, phase_count, ' +
  'phase_list, now, now, tenant, owner, unique_key, idempotency_key, input FROM new ORDER BY ord ON CONFLICT (type, tenant, unique_key) WHERE unique_key IS NOT NULL AND finished_at IS NULL DO NOTHING ' +
  'RETURNING id, n, state, created_at, attempt), ' +
  'labelled AS (INSERT INTO millrace.labels (job, name, content) SELECT b.job, b.name, b.content FROM unnest($17::uuid[], $18::text[], $19::text[]) ' +
  'AS b (job, name, content) JOIN added ON added.id = b.job), ' +
  `${numberedSql('added', '(SELECT now FROM clock)')}, ` +
  'told AS (INSERT INTO millrace.events (commit, idx, job, seq, code, at, attempt) SELECT numbered.n, row_number() OVER (ORDER BY a.n) - 1, ' +
  'a.id, 1, a.state, a.created_at, a.attempt FROM added AS a, numbered) ' +
  "SELECT fresh.yes AS fresh, (SELECT count(*) FROM added) AS added, (SELECT string_agg(id::text, ',') FROM added WHERE state = 1) AS scheduled FROM fresh"

// The same for jobs that differ in nothing but their ids and inputs, which most that come together do: it takes half the time. Its commit goes
// first: a number that a column gives takes no right on its sequence, which an application that only adds jobs need not have.
const ADD_ALIKE =
  'WITH clock AS MATERIALIZED (SELECT now, due, CASE WHEN due > now THEN 1 ELSE 2 END AS state, ' +
  `due <= now AND ${manySql('cardinality($12::uuid[])')} AS bundled FROM (SELECT c.now, coalesce($10::bigint, c.now + $11::bigint) AS due FROM (SELECT ${NOW} AS now) AS c ` +
  'WHERE $3::integer IS NULL OR (SELECT revision FROM millrace.types WHERE n = $2) = $3::integer) AS d), ' +
  'numbered AS (INSERT INTO millrace.commits (at, events, listed, living, code, seq, attempt, jobs) ' +
  'SELECT now, cardinality($12::uuid[]), cardinality($12::uuid[]), cardinality($12::uuid[]), state, ' +
  `${CREATED.seq}, ${CREATED.attempt}, $12::uuid[] FROM clock RETURNING n), ` +
  `added AS (INSERT INTO millrace.jobs (id, ${CREATED.column}, type, lane, state, bundled, priority, run_at, phase_count, phase_list, created_at, updated_at, tenant, owner, input) ` +
  'SELECT v.id, (SELECT n FROM numbered), $2, $4, clock.state, clock.bundled, $5, due, $6, $7, now, now, $8, $9, v.input ' +
  'FROM clock, unnest($12::uuid[], $13::text[]) AS v (id, input) RETURNING ctid, n), ' +
  `${bundleSql({ lane: '$4', priority: '$5', runAt: '(SELECT due FROM clock)', createdIn: '(SELECT n FROM numbered)', condition: '(SELECT bundled FROM clock)' })} ` +
  'SELECT CASE WHEN EXISTS (SELECT 1 FROM clock) THEN cardinality($12::uuid[]) ELSE 0 END AS added, (SELECT due > now FROM clock) AS scheduled'

function areAlike(placed: readonly PlacedJob[]): boolean {
  const [first] = placed
  return first !== undefined && placed.every((one) => isLike(first, one))
}

function isLike(one: PlacedJob, other: PlacedJob): boolean {
  const { job } = one
  const { job: next } = other
  const sameKind = one.type === other.type && one.lane === other.lane && one.phaseList === other.phaseList
  const sameOrder = job.priority === next.priority && job.runAt === next.runAt && job.delayMs === next.delayMs
  const samePlace = job.tenant === next.tenant && job.owner === next.owner
  return sameKind && sameOrder && samePlace && !isKeyed(next) && Object.keys(next.labels).length === 0
}

async function addAlike(run: RunRows, now: number | null, placed: readonly PlacedJob[]): Promise<Added> {
  const [first] = placed
  if (first === undefined) throw new RangeError('there is nothing to add')
  const { job, type, lane, phaseList } = first
  const [row] = await run(
    ADD_ALIKE,
    now,
    type.n,
    type.revision,
    lane,
    job.priority,
    type.policy.phases.length,
    phaseList,
    job.tenant,
    job.owner,
    job.runAt,
    job.delayMs,
    placed.map((one) => one.job.id),
    placed.map((one) => one.job.input),
  )
  // True, or, where the answer was lost and the jobs were looked for, their ids.
  const scheduled = row?.['scheduled'] === true || typeof row?.['scheduled'] === 'string'
  const ids = scheduled ? placed.map((one) => one.job.id) : []
  const count = Number(row?.['added'] ?? 0)
  return { fresh: count === placed.length, count, scheduled: new Set(ids) }
}

export interface Added {
  /** False: a type has changed since it was looked up, and nothing was added. */
  readonly fresh: boolean
  readonly count: number
  readonly scheduled: ReadonlySet<string>
}

/** As the batch has left them: of a type that it has changed itself, the last revision counts. */
function typesOf(placed: readonly PlacedJob[]): readonly PlacedType[] {
  return [...new Map(placed.map(({ type }) => [type.n, type])).values()]
}

export async function addJobs(
  run: RunRows,
  now: number | null,
  placed: readonly PlacedJob[],
  types: readonly PlacedType[] = typesOf(placed),
): Promise<Added> {
  if (types.length === 1 && types[0] === placed[0]?.type && areAlike(placed)) return addAlike(run, now, placed)
  const column = (pick: (one: PlacedJob) => PgValue): readonly PgValue[] => placed.map(pick)
  const labels = placed.flatMap(({ job }) =>
    Object.entries(job.labels).map(([name, content]) => [job.id, name, content]),
  )
  const [row] = await run(
    ADD,
    now,
    types.map(({ n }) => n),
    types.map(({ revision }) => revision),
    column(({ job }) => job.id),
    column(({ type }) => type.n),
    column(({ lane }) => lane),
    column(({ job }) => job.priority),
    column(({ job }) => job.runAt),
    column(({ job }) => job.delayMs),
    column(({ type }) => type.policy.phases.length),
    column(({ phaseList }) => phaseList),
    column(({ job }) => job.tenant),
    column(({ job }) => job.owner),
    column(({ job }) => job.uniqueKey),
    column(({ job }) => job.key),
    column(({ job }) => job.input),
    labels.map(([id]) => id ?? ''),
    labels.map(([, name]) => name ?? ''),
    labels.map(([, , content]) => content ?? ''),
  )
  return {
    fresh: row?.['fresh'] === true,
    count: Number(row?.['added'] ?? 0),
    scheduled: new Set(typeof row?.['scheduled'] === 'string' ? row['scheduled'].split(',') : []),
  }
}

/** Characters of inputs that go in one statement. */
const LONGEST_STATEMENT = 8 * 1024 * 1024
/** Jobs that go in one: they may be told of by one list, which whoever reads a few of its events reads whole. */
const MOST_IN_STATEMENT = 5_000

export function chunksOf(placed: readonly PlacedJob[]): readonly (readonly PlacedJob[])[] {
  const chunks: PlacedJob[][] = []
  let length = Number.POSITIVE_INFINITY
  let chunk: PlacedJob[] = []
  for (const one of placed) {
    if (length + one.job.input.length > LONGEST_STATEMENT || chunk.length === MOST_IN_STATEMENT) {
      chunks.push((chunk = []))
      length = 0
    }
    chunk.push(one)
    length += one.job.input.length
  }
  return chunks
}

/** In a transaction: several statements, where one would be too long. */
export async function addInChunks(
  run: RunRows,
  now: number | null,
  placed: readonly PlacedJob[],
  types: readonly PlacedType[] = typesOf(placed),
): Promise<Added> {
  let [fresh, count] = [true, 0]
  const scheduled = new Set<string>()
  for (const chunk of chunksOf(placed)) {
    const added = await addJobs(run, now, chunk, types)
    fresh &&= added.fresh
    count += added.count
    for (const id of added.scheduled) scheduled.add(id)
  }
  return { fresh, count, scheduled }
}

export function created({ id }: NewJob, { scheduled }: Added): Enqueued {
  return { outcome: 'created', id, state: scheduled.has(id) ? 'scheduled' : 'queued' }
}

/** Thrown where a type has changed: everything is looked up again and tried once more. */
export class StaleTypes extends Error {}

/** Jobs of which any may have a key, in a transaction that the caller undoes where an outcome is `key-reused`. */
export async function addKeyedJobs(
  run: RunRows,
  now: number,
  placed: readonly PlacedJob[],
): Promise<readonly Enqueued[]> {
  const outcomes: Enqueued[] = []
  const types = typesOf(placed)
  for (const round of roundsOf(placed)) {
    for (const [index, outcome] of await addRound({ run, now, types, round })) outcomes[index] = outcome
  }
  return outcomes
}

interface Numbered {
  readonly index: number
  readonly placed: PlacedJob
}

/** No two of a round have a key in common: the later one finds what the earlier one has left. */
function roundsOf(placed: readonly PlacedJob[]): readonly (readonly Numbered[])[] {
  const rounds: Numbered[][] = []
  const last = new Map<string, number>()
  for (const [index, each] of placed.entries()) {
    const { job, type } = each
    const marks = [
      ...(job.key === null ? [] : [`key ${type.n} ${job.tenant} ${job.key}`]),
      ...(job.uniqueKey === null ? [] : [`unique ${type.n} ${job.tenant} ${job.uniqueKey}`]),
    ]
    const round = Math.max(0, ...marks.map((mark) => (last.get(mark) ?? -1) + 1))
    for (const mark of marks) last.set(mark, round)
    const together = (rounds[round] ??= [])
    together.push({ index, placed: each })
  }
  return rounds
}

interface Round {
  readonly run: RunRows
  readonly now: number
  readonly types: readonly PlacedType[]
  readonly round: readonly Numbered[]
}

async function addRound({ run, now, types, round }: Round): Promise<ReadonlyMap<number, Enqueued>> {
  const outcomes = new Map<number, Enqueued>()
  const keyed = round.filter(({ placed }) => placed.job.key !== null)
  const taken = await takeKeys(run, now, keyed)
  for (const numbered of keyed) {
    if (!taken.has(numbered)) outcomes.set(numbered.index, await holderOfKey(run, numbered.placed))
  }
  let left = round.filter(({ index }) => !outcomes.has(index))
  // A unique key that is held when the row is inserted, and free when its holder is looked for, is tried again.
  while (left.length > 0) {
    const jobs = left.map(({ placed }) => placed)
    const added = await addInChunks(run, now, jobs, types)
    if (!added.fresh) throw new StaleTypes()
    const there = added.count === left.length ? null : await idsThere(run, left)
    const refused: Numbered[] = []
    for (const numbered of left) {
      const { job } = numbered.placed
      if (there === null || there.has(job.id)) outcomes.set(numbered.index, created(job, added))
      else refused.push(numbered)
    }
    left = await holdersOfUnique(run, refused, outcomes)
  }
  return outcomes
}

// Asked with NOT EXISTS, the planner may list all jobs to look one up.
const TAKE_KEYS =
  'INSERT INTO millrace.keys AS k (tenant, type, key, job, input_hash, held_until) SELECT v.tenant, v.type, v.key, v.job, ' +
  "decode(v.hash, 'hex'), $1::bigint + $2::bigint FROM unnest($3::text[], $4::integer[], $5::text[], $6::uuid[], $7::text[]) AS v (tenant, type, key, job, hash) " +
  'ORDER BY v.tenant, v.type, v.key ON CONFLICT (tenant, type, key) DO UPDATE SET job = excluded.job, input_hash = excluded.input_hash, ' +
  'held_until = excluded.held_until WHERE k.held_until <= $1 AND (SELECT j.id FROM millrace.jobs AS j WHERE j.id = k.job) IS NULL RETURNING job'

/** Those that hold their keys now. */
async function takeKeys(run: RunRows, now: number, keyed: readonly Numbered[]): Promise<ReadonlySet<Numbered>> {
  if (keyed.length === 0) return new Set()
  const jobs = keyed.map(({ placed }) => placed.job)
  const rows = await run(
    TAKE_KEYS,
    now,
    DEFAULTS.keyHoldMs,
    jobs.map(({ tenant }) => tenant),
    keyed.map(({ placed }) => placed.type.n),
    jobs.map(({ key }) => key),
    jobs.map(({ id }) => id),
    jobs.map(({ input }) => inputHash(input).toString('hex')),
  )
  const taken = new Set(rows.map((row) => String(row['job'])))
  return new Set(keyed.filter(({ placed }) => taken.has(placed.job.id)))
}

const HOLDER_OF_KEY =
  "SELECT k.job, encode(k.input_hash, 'hex') AS hash, (SELECT j.state FROM millrace.jobs AS j WHERE j.id = k.job) AS state FROM millrace.keys AS k " +
  'WHERE k.tenant = $1 AND k.type = $2 AND k.key = $3'

async function holderOfKey(run: RunRows, { job, type }: PlacedJob): Promise<Enqueued> {
  const [row] = await run(HOLDER_OF_KEY, job.tenant, type.n, job.key)
  const id = String(row?.['job'])
  const isSame = row?.['hash'] === inputHash(job.input).toString('hex')
  if (!isSame) return { outcome: 'key-reused', id }
  const state = row?.['state'] === null ? 'deleted' : stateOf(row?.['state'])
  // Its own enqueue was committed, and the answer lost.
  if (id === job.id && (state === 'queued' || state === 'scheduled')) return { outcome: 'created', id, state }
  return { outcome: 'duplicate', id, state }
}

const THERE = 'SELECT id FROM millrace.jobs WHERE id = ANY($1::uuid[])'

async function idsThere(run: RunRows, left: readonly Numbered[]): Promise<ReadonlySet<string>> {
  const rows = await run(
    THERE,
    left.map(({ placed }) => placed.job.id),
  )
  return new Set(rows.map((row) => String(row['id'])))
}

const HOLDER_OF_UNIQUE =
  'SELECT id, state FROM millrace.jobs WHERE type = $1 AND tenant = $2 AND unique_key = $3 AND unique_key IS NOT NULL AND finished_at IS NULL'
const GIVE_KEY_BACK = 'DELETE FROM millrace.keys WHERE tenant = $1 AND type = $2 AND key = $3 AND job = $4'

/** Writes the outcomes of those whose unique key another job holds; answers the others. */
async function holdersOfUnique(
  run: RunRows,
  refused: readonly Numbered[],
  outcomes: Map<number, Enqueued>,
): Promise<Numbered[]> {
  const again: Numbered[] = []
  for (const numbered of refused) {
    const { job, type } = numbered.placed
    const [row] = await run(HOLDER_OF_UNIQUE, type.n, job.tenant, job.uniqueKey)
    if (row === undefined) {
      again.push(numbered)
      continue
    }
    outcomes.set(numbered.index, { outcome: 'duplicate', id: String(row['id']), state: stateOf(row['state']) })
    if (job.key !== null) await run(GIVE_KEY_BACK, job.tenant, type.n, job.key, job.id)
  }
  return again
}
