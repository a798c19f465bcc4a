/**
 * The floor on PostgreSQL: Millrace's own tables, written by prepared statements of `pg` on one connection, with no queue around them. It has
 * no worker, no other process, no clients; it takes nobody's word for anything but the guard of holder and fence.
 *
 * 1,000 jobs a transaction; while draining, one transaction completes the last batch and claims the next. It writes the rows that Millrace
 * writes, so that a Millrace that opens the database sees every job with its history; that is how it is counted.
 */
import { randomBytes, randomInt } from 'node:crypto'
import type { Client } from 'pg'
import { nowMs } from '../clock.ts'
import type { Contender, JobCounts, JobInput, Load, Place, Queue } from './contender.ts'
import { plainJob } from './millrace.ts'
import { millracePostgres } from './millrace-postgres.ts'
import { withClient } from './postgres-client.ts'

const BATCH = 1_000

export function rawPostgres(): Contender {
  return {
    ...millracePostgres('best'),
    name: 'raw-postgres',
    label: 'raw pg',
    open: async (place, load) => openRaw(place, load),
  }
}

interface Numbers {
  readonly type: number
  readonly lane: number
  readonly list: number
  readonly session: number
}

const NUMBERS = `SELECT t.n AS type, l.n AS lane, p.n AS list, s.n AS session FROM millrace.types AS t JOIN millrace.lanes AS l ON l.type = t.n
  JOIN millrace.phase_lists AS p ON true JOIN millrace.sessions AS s ON s.service = t.service
  WHERE t.name = $1 ORDER BY s.n LIMIT 1`

async function openRaw(place: Place, load: Load): Promise<Queue> {
  if (load !== 'plain') throw new Error('the floor on PostgreSQL has jobs of one phase only')
  const known = await numbersOf(place)
  if (known === null) await registerType(place)
  const numbers = known ?? (await numbersOf(place))
  if (numbers === null) throw new Error('the type was not registered')
  const { Client: Connection } = await import('pg')
  const client = new Connection({ connectionString: place.address })
  await client.connect()
  await client.query(
    'SET jit = off; SET enable_seqscan = off; SET enable_bitmapscan = off; SET plan_cache_mode = force_generic_plan',
  )
  return new RawQueue(client, place, numbers)
}

async function numbersOf({ address }: Place): Promise<Numbers | null> {
  return withClient(address, async (client) => {
    const { rows } = await client.query<Numbers>(NUMBERS, [plainJob.name])
    return rows[0] ?? null
  })
}

/** By one job, which is gone again afterwards. */
async function registerType(place: Place): Promise<void> {
  const queue = await millracePostgres('defaults').open(place, 'plain')
  const working = await queue.work(() => undefined)
  await queue.enqueue({ index: 0 })
  await working.drained(1)
  await queue.close()
  await withClient(place.address, (client) =>
    client.query('TRUNCATE millrace.jobs, millrace.bundles, millrace.events, millrace.commits'),
  )
}

// Each statement tells of its jobs by a list in the row of its commit, whose number stands on the jobs.
const NEXT = "next AS MATERIALIZED (SELECT nextval('millrace.commits_n_seq') AS n)"
const tell = (code: number, seq: number, attempt: number, jobs: string): string =>
  `INSERT INTO millrace.commits (n, at, events, listed, living, code, seq, attempt, jobs)
  SELECT next.n, $1::bigint, cardinality(x.jobs), cardinality(x.jobs), cardinality(x.jobs), ${code}, ${seq}, ${attempt}, x.jobs FROM next, (${jobs}) AS x WHERE x.jobs IS NOT NULL`

const INSERT = `WITH ${NEXT}, told AS (${tell(2, 1, 0, 'SELECT $5::uuid[] AS jobs')}),
  added AS (INSERT INTO millrace.jobs (id, created_in, type, lane, state, bundled, priority, run_at, phase_count, phase_list, created_at, updated_at, input)
    SELECT v.id, next.n, $2, $3, 2, $7, 0, $1, 1, $4, $1, $1, v.input FROM next, unnest($5::uuid[], $6::text[]) AS v (id, input) RETURNING ctid, n)
  INSERT INTO millrace.bundles (lane, priority, run_at, n, created_in, start, size, places)
    SELECT $3, 0, $1, a.n, next.n, 0, cardinality(a.places), a.places FROM next, (SELECT min(n) AS n, array_agg(ctid) AS places FROM added) AS a WHERE $7`

const claim = (places: string): string => `WITH ${NEXT}, ${places},
  taken AS (UPDATE millrace.jobs AS j SET updated_at = $1::bigint, event_seq = event_seq + 1, state = 3, bundled = false, holder = $2, session = $3,
      fence = fence + 1, attempt = attempt + 1, started_at = $1, deadline_at = $1::bigint + 1800000, phase_started_at = $1,
      started_in = (SELECT n FROM next)
    WHERE ctid = ANY(ARRAY(SELECT place FROM picked)) AND state + 0 = 2
    RETURNING id, ctid AS place, input),
  told AS (${tell(3, 2, 1, 'SELECT array_agg(id) AS jobs FROM taken')})
  SELECT id, place, input FROM taken`

const CLAIM_BUNDLE =
  claim(`opened AS (DELETE FROM millrace.bundles WHERE ctid = ANY(ARRAY(SELECT ctid FROM millrace.bundles WHERE lane = $4
    ORDER BY priority, run_at, n LIMIT 1 FOR UPDATE SKIP LOCKED)) RETURNING places), picked AS (SELECT unnest(places) AS place FROM opened)`)
const CLAIM_ALONE =
  claim(`picked AS (SELECT ctid AS place FROM millrace.jobs WHERE lane = $4 AND state = 2 AND NOT bundled
    ORDER BY priority, run_at, n LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)`)

const COMPLETE = `WITH ${NEXT}, moved AS (UPDATE millrace.jobs AS j SET updated_at = $1, event_seq = j.event_seq + 1, state = 5, holder = NULL, deadline_at = NULL,
      finished_at = $1, phase = 1, progress = 100, output = 'null', completed_in = (SELECT n FROM next)
    WHERE j.ctid = ANY($3::tid[]) AND (j.id IN (SELECT unnest($2::uuid[]))) IS TRUE AND j.holder = $4 AND j.fence = 1
    RETURNING j.id)
  ${tell(5, 3, 1, 'SELECT array_agg(id) AS jobs FROM moved')}`

/** As Millrace: fewer are not worth a bundle. */
const LEAST_BUNDLED = 16

interface ClaimedRow {
  readonly id: string
  readonly place: string
  readonly input: string
}

class RawQueue implements Queue {
  readonly #client: Client
  readonly #place: Place
  readonly #numbers: Numbers
  readonly #holder = randomInt(2 ** 47)

  constructor(client: Client, place: Place, numbers: Numbers) {
    this.#client = client
    this.#place = place
    this.#numbers = numbers
  }

  enqueue(input: JobInput): Promise<void> {
    return this.#insert([input])
  }

  async enqueueMany(inputs: readonly JobInput[]): Promise<void> {
    for (let at = 0; at < inputs.length; at += BATCH) await this.#insert(inputs.slice(at, at + BATCH))
  }

  /** The loop runs as soon as it is waited for. */
  async work(onJob: (input: JobInput) => void): ReturnType<Queue['work']> {
    return { drained: async () => this.#drain(onJob), stop: async () => undefined }
  }

  async counts(): Promise<JobCounts> {
    const queue = await millracePostgres('best').open(this.#place, 'plain')
    const counts = await queue.counts()
    await queue.close()
    return counts
  }

  close(): Promise<void> {
    return this.#client.end()
  }

  async #insert(inputs: readonly JobInput[]): Promise<void> {
    const { type, lane, list } = this.#numbers
    const now = Date.now()
    const ids = inputs.map(() => idAt(now))
    const bodies = inputs.map((input) => JSON.stringify(input))
    await this.#run('insert', INSERT, [now, type, lane, list, ids, bodies, ids.length >= LEAST_BUNDLED])
  }

  async #drain(onJob: (input: JobInput) => void): Promise<number> {
    let batch = await this.#transaction(() => this.#claim())
    while (batch.length > 0) {
      const done = batch
      for (const { input } of done) onJob(JSON.parse(input) as JobInput)
      batch = await this.#transaction(async () => {
        await this.#run('complete', COMPLETE, [
          Date.now(),
          done.map(({ id }) => id),
          done.map(({ place }) => place),
          this.#holder,
        ])
        return this.#claim()
      })
    }
    return nowMs()
  }

  async #claim(): Promise<readonly ClaimedRow[]> {
    const { session, lane } = this.#numbers
    const values = [Date.now(), this.#holder, session, lane]
    const bundle = await this.#run('claim-bundle', CLAIM_BUNDLE, values)
    return bundle.length > 0 ? bundle : this.#run('claim-alone', CLAIM_ALONE, values)
  }

  async #run(name: string, text: string, values: unknown[]): Promise<readonly ClaimedRow[]> {
    return (await this.#client.query<ClaimedRow>({ name, text, values })).rows
  }

  async #transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.#client.query('BEGIN')
    const result = await work()
    await this.#client.query('COMMIT')
    return result
  }
}

let lastMs = 0
let counter = 0

/** An id that sorts behind the one before, as Millrace's do. */
function idAt(now: number): string {
  const id = randomBytes(16)
  counter = now > lastMs ? 0 : counter + 1
  lastMs = now
  id.writeUIntBE(now + (counter >> 12), 0, 6)
  id.writeUInt16BE(0x7000 + (counter & 0xfff), 6)
  id[8] = 0x80 | ((id[8] ?? 0) & 0x3f)
  return id.toString('hex')
}
