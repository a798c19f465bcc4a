/**
 * The floor: Millrace's own tables, written by prepared statements of node:sqlite on one connection, with no queue around them. It has no
 * worker, no other thread, no clients; it takes nobody's word for anything but the guard of holder and fence.
 *
 * WAL, synchronous FULL, BEGIN IMMEDIATE, 1,000 jobs a transaction; while draining, one transaction completes the last batch and claims
 * the next. It writes the rows that Millrace writes, so that a Millrace that opens the file sees every job with its history; that is how it
 * is counted. `raw-statements.ts` says how the statements were chosen.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { openMillrace } from '../built-package.ts'
import { nowMs } from '../clock.ts'
import type { Contender, JobCounts, JobInput, Load, Place, Queue } from './contender.ts'
import { millrace, SERVICE } from './millrace.ts'
import { RAW_LAYERS } from './raw-layers.ts'
import type { RawLayers, RawName } from './raw-layers.ts'
import { prepareCheckpoints, prepareRaw, ROWS_A_STATEMENT } from './raw-statements.ts'
import type { RawStatements, ReadyRow, TypeNumbers } from './raw-statements.ts'
import { inSqliteFile } from './sqlite-file.ts'

const BATCH = 1_000
const PHASES = ['one', 'two', 'three', 'four']

export function raw(name: RawName): Contender {
  const layers = RAW_LAYERS[name]
  return {
    ...inSqliteFile,
    name,
    label: layers.label,
    settings: 'best',
    durable: layers.synchronous === 'FULL',
    durability: `${layers.synchronous === 'FULL' ? 'nothing' : 'the last commits'} (SQLite, synchronous ${layers.synchronous})`,
    async open(place, load) {
      if (!existsSync(place.address)) await makeFile(place, load)
      return new RawQueue(place, load, layers)
    },
  }
}

/** A file as Millrace makes it, with the job type registered by one job, which is gone again afterwards. */
async function makeFile(place: Place, load: Load): Promise<void> {
  const queue = await millrace('defaults').open(place, load)
  const working = await queue.work(() => undefined)
  await queue.enqueue({ index: 0 })
  await working.drained(1)
  await queue.close()
  const db = new DatabaseSync(place.address)
  for (const table of ['jobs', 'events', 'event_lists', 'phases']) db.exec(`DELETE FROM millrace_${table}`)
  db.close()
}

const NUMBERS = `SELECT t.n AS type, l.n AS lane, p.n AS phaseList, s.n AS session FROM millrace_types AS t
  JOIN millrace_lanes AS l ON l.type = t.n JOIN millrace_phase_lists AS p ON p.names = t.policy ->> 'phases'
  JOIN millrace_sessions AS s ON s.service = t.service ORDER BY s.n LIMIT 1`

class RawQueue implements Queue {
  readonly #db: DatabaseSync
  readonly #place: Place
  readonly #layers: RawLayers
  readonly #statements: RawStatements
  readonly #phases: number
  readonly #checkpoint: (claimed: Claimed, ordinal: number) => void

  constructor(place: Place, load: Load, layers: RawLayers) {
    const db = new DatabaseSync(place.address, { timeout: 5_000 })
    for (const pragma of [`synchronous = ${layers.synchronous}`, 'temp_store = MEMORY']) db.exec(`PRAGMA ${pragma}`)
    this.#db = db
    this.#place = place
    this.#layers = layers
    this.#statements = prepareRaw(db, db.prepare(NUMBERS).get() as unknown as TypeNumbers, layers)
    this.#phases = load === 'plain' ? 1 : PHASES.length
    this.#checkpoint = checkpointer(db)
  }

  async enqueue(input: JobInput): Promise<void> {
    this.#insert([input])
  }

  async enqueueMany(inputs: readonly JobInput[]): Promise<void> {
    for (let at = 0; at < inputs.length; at += BATCH) this.#insert(inputs.slice(at, at + BATCH))
  }

  /** The loop runs as soon as it is waited for: there is no other thread for it to run in. */
  async work(onJob: (input: JobInput) => void): ReturnType<Queue['work']> {
    return { drained: async () => this.#drain(onJob), stop: async () => undefined }
  }

  async counts(): Promise<JobCounts> {
    const mill = await openMillrace(`sqlite:${this.#place.address}`, { service: SERVICE })
    const { completed, ...others } = await mill.counts()
    await mill.close()
    return { completed, waiting: Object.values(others).reduce((sum, count) => sum + count, 0) }
  }

  async close(): Promise<void> {
    this.#db.close()
  }

  #insert(inputs: readonly JobInput[]): void {
    const { insertJob, insertJobs } = this.#statements
    const now = Date.now()
    const full = inputs.length - (inputs.length % ROWS_A_STATEMENT)
    this.#transaction(() => {
      let last = 0
      const position = this.#position()
      for (let at = 0; at < inputs.length;) {
        const rows = at < full ? ROWS_A_STATEMENT : 1
        const values = inputs.slice(at, at + rows).flatMap((input) => [idAt(now), JSON.stringify(input)])
        const inserted = (rows === 1 ? insertJob : insertJobs).run(now, this.#phases, position, ...values)
        last = Number(inserted.lastInsertRowid)
        at += rows
      }
      const first = last - inputs.length + 1
      this.#tell(position, QUEUED, now, [[0, first, inputs.length]])
    })
  }

  #drain(onJob: (input: JobInput) => void): number {
    let claimed = this.#transaction(() => this.#claim())
    while (claimed.rows.length > 0) {
      const batch = claimed
      for (let ordinal = 0; ordinal < this.#phases - 1; ordinal++) {
        this.#transaction(() => this.#checkpoint(batch, ordinal))
      }
      for (const [, , input] of batch.rows) onJob(JSON.parse(input) as JobInput)
      claimed = this.#transaction(() => {
        if (this.#phases > 1) this.#checkpoint(batch, this.#phases - 1)
        this.#complete(batch)
        return this.#claim()
      })
    }
    return nowMs()
  }

  #claim(): Claimed {
    const { ready, claim, started } = this.#statements
    const holder = randomInt(2 ** 47)
    const now = Date.now()
    const position = this.#phases === 1 ? this.#position() : null
    const rows = ready.all(BATCH) as unknown as ReadyRow[]
    const runs = runsOf(rows)
    for (const [, first, jobs] of runs) expect(jobs, claim.run(holder, now, position, first, first + jobs - 1))
    const claimed = { holder, rows, runs, fences: fencesOf(rows, this.#layers) }
    this.#tell(position, STARTED, now, runs)
    if (!this.#layers.events || this.#phases === 1) return claimed
    const detail = JSON.stringify({ phase: PHASES[0] })
    for (const guard of guardsOf(claimed)) started.run(now, detail, ...guard)
    return claimed
  }

  #complete(claimed: Claimed): void {
    const { complete, completed } = this.#statements
    const now = Date.now()
    const { events } = this.#layers
    const output = this.#phases === 1 ? 'null' : null
    const position = this.#phases === 1 ? this.#position() : null
    let done = 0
    for (const guard of guardsOf(claimed)) {
      if (events && position === null) completed.run(now, 1, ...guard)
      done += Number(complete.run(now, output, this.#phases, events ? 1 : 0, ...guard, position).changes)
    }
    if (done !== claimed.rows.length) throw new Error(`${done} jobs of ${claimed.rows.length} were completed`)
    this.#tell(position, COMPLETED, now, claimed.runs)
  }

  /** Where a list goes; null: there are none. */
  #position(): number | null {
    return this.#layers.events ? Number(this.#statements.nextPosition.get()?.['position']) : null
  }

  #tell(position: number | null, { code, seq, attempt }: Told, at: number, runs: readonly Run[]): void {
    const events = runs.reduce((sum, [, , jobs]) => sum + jobs, 0)
    if (position === null || events === 0) return
    this.#statements.list.run(position, events, code, seq, attempt, at, JSON.stringify(runs))
    this.#statements.moveOn.run(events)
  }

  #transaction<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE')
    const result = work()
    this.#db.exec('COMMIT')
    return result
  }
}

function expect(jobs: number, { changes }: { readonly changes: number | bigint }): void {
  if (Number(changes) !== jobs) throw new Error(`${changes} jobs of ${jobs} were claimed`)
}

interface Told {
  readonly code: number
  readonly seq: number
  readonly attempt: number
}

const QUEUED: Told = { code: 2, seq: 1, attempt: 0 }
const STARTED: Told = { code: 3, seq: 2, attempt: 1 }
const COMPLETED: Told = { code: 5, seq: 3, attempt: 1 }

type Run = [offset: number, first: number, jobs: number]

/** Keys that count on are told by the first and how many there are. */
function runsOf(rows: readonly ReadyRow[]): readonly Run[] {
  const runs: Run[] = []
  for (const [offset, [n]] of rows.entries()) {
    const run = runs.at(-1)
    if (run !== undefined && n === run[1] + run[2]) run[2] += 1
    else runs.push([offset, n, 1])
  }
  return runs
}

interface Claimed {
  readonly holder: number
  readonly rows: readonly ReadyRow[]
  readonly runs: readonly Run[]
  readonly fences: readonly number[]
}

/** Jobs that were claimed before have a higher fence than the rest of their batch: one pass for each. */
function fencesOf(rows: readonly ReadyRow[], { guard }: RawLayers): readonly number[] {
  return [...new Set(rows.map(([, fence]) => (guard ? fence + 1 : fence)))]
}

/** By what the rows of a batch are found. */
function guardsOf({ holder, runs, fences }: Claimed): readonly (readonly [number, number, number, number])[] {
  return fences.flatMap((fence) => runs.map(([, first, jobs]) => [holder, fence, first, first + jobs - 1] as const))
}

function checkpointer(db: DatabaseSync): (claimed: Claimed, ordinal: number) => void {
  const { keepPhase, phaseCompleted, moveOn } = prepareCheckpoints(db)
  return (claimed, ordinal) => {
    const now = Date.now()
    const detail = JSON.stringify({ phase: PHASES[ordinal], next: PHASES[ordinal + 1] ?? null })
    const result = ordinal === PHASES.length - 1 ? 'null' : String(ordinal + 1)
    const done = ordinal + 1
    for (const guard of guardsOf(claimed)) {
      keepPhase.run(now, ordinal, result, ...guard)
      phaseCompleted.run(now, detail, ...guard)
      moveOn.run(now, done, (100 * done) / PHASES.length, ...guard)
    }
  }
}

let lastMs = 0
let counter = 0

/** An id that sorts behind the one before, as Millrace's do: the index of ids is then filled at its end. */
function idAt(now: number): Buffer {
  const id = randomBytes(16)
  counter = now > lastMs ? 0 : counter + 1
  lastMs = now
  id.writeUIntBE(now + (counter >> 12), 0, 6)
  id.writeUInt16BE(0x7000 + (counter & 0xfff), 6)
  id[8] = 0x80 | ((id[8] ?? 0) & 0x3f)
  return id
}
