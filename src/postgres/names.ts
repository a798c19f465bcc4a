/**
 * Names that are kept as numbers: looked up once, and added where they are new. What is added is committed
 * at once, so that it is never gone, or belongs to a draft, which counts once its transaction is committed.
 */
import type { JobPolicy } from '../core/policy.ts'
import type { StoredType } from '../store/job-types.ts'
import { policyEncoder } from '../store/policy-text.ts'
import { storedType } from '../store/records.ts'
import type { Row, RunRows } from './driver.ts'

export interface TypeEntry extends StoredType {
  /** Grows with each change by whichever process. */
  readonly revision: number
}

/** A lane's names never change. */
export interface LaneEntry {
  readonly type: number
  readonly queue: string
}

/** What a draft need not look up. */
interface Inherited {
  readonly types: ReadonlyMap<string, TypeEntry>
  readonly lanes: ReadonlyMap<string, number>
  readonly phaseLists: ReadonlyMap<string, number>
}

export class Names {
  readonly #run: RunRows
  readonly #inherited: Inherited | null
  readonly #types = new Map<string, TypeEntry>()
  readonly #typesByNumber = new Map<number, TypeEntry>()
  readonly #lanes = new Map<string, number>()
  readonly #lanesByNumber = new Map<number, LaneEntry>()
  readonly #phaseLists = new Map<string, number>()
  readonly #phaseNames = new Map<number, readonly string[]>()
  readonly #policyText = policyEncoder()

  /** With a base: a draft, which adds what is new by `run`, in a transaction that may yet be undone. */
  constructor(run: RunRows, base: Names | null = null) {
    this.#run = run
    this.#inherited = base === null ? null : { types: base.#types, lanes: base.#lanes, phaseLists: base.#phaseLists }
  }

  /** The draft's transaction was committed. */
  adopt(draft: Names): void {
    for (const type of draft.#types.values()) this.#keepEntry(type)
    for (const [name, lane] of draft.#lanes) this.#lanes.set(name, lane)
    for (const [names, list] of draft.#phaseLists) this.#phaseLists.set(names, list)
  }

  /** After a type was found to have changed. */
  forgetTypes(): void {
    this.#types.clear()
    this.#typesByNumber.clear()
  }

  /** The type's row, made from the producer's copy where it is new or nobody has registered it. */
  async internType(name: string, queue: string, policy: JobPolicy): Promise<TypeEntry> {
    const known =
      this.#types.get(name) ?? this.#inherited?.types.get(name) ?? (await this.#readType(this.#run, TYPE_BY_NAME, name))
    if (known?.service != null) return known
    const text = this.#policyText(policy)
    if (known?.policyText === text && known.queue === queue) return known
    const [row] = await this.#run(PUT_PRODUCER_TYPE, name, queue, text, policy.timeoutMs)
    const kept = row === undefined ? await this.#readType(this.#run, TYPE_BY_NAME, name) : this.#keepType(row)
    if (kept === undefined) throw new RangeError(`type ${name} was not stored`)
    return kept
  }

  /** As of that revision or a later one. */
  async typeOf(run: RunRows, n: number, revision: number = 0): Promise<TypeEntry> {
    const known = this.#typesByNumber.get(n)
    const entry =
      known !== undefined && known.revision >= revision ? known : await this.#readType(run, TYPE_BY_NUMBER, n)
    if (entry === undefined) throw new RangeError(`there is no type ${n}`)
    return entry
  }

  async #readType(run: RunRows, sql: string, key: string | number): Promise<TypeEntry | undefined> {
    const [row] = await run(sql, key)
    return row === undefined ? undefined : this.#keepType(row)
  }

  #keepType(row: Row): TypeEntry {
    const entry = { ...storedType(row), revision: Number(row['revision']) }
    this.#keepEntry(entry)
    return entry
  }

  #keepEntry(entry: TypeEntry): void {
    this.#types.set(entry.name, entry)
    this.#typesByNumber.set(entry.n, entry)
  }

  async internLane(type: number, queue: string): Promise<number> {
    const name = `${type} ${queue}`
    const known = this.#lanes.get(name) ?? this.#inherited?.lanes.get(name)
    if (known !== undefined) return known
    // Looked for first: what is only put is locked, and others would wait for it.
    const [found] = await this.#run(LANE_BY_NAMES, type, queue)
    const lane = Number((found ?? (await this.#putLane(type, queue)))?.['n'])
    this.#lanes.set(name, lane)
    this.#lanesByNumber.set(lane, { type, queue })
    return lane
  }

  async #putLane(type: number, queue: string): Promise<Row | undefined> {
    const [queueRow] = await this.#run(PUT_QUEUE, queue)
    const [row] = await this.#run(PUT_LANE, type, Number(queueRow?.['n']))
    return row
  }

  async laneOf(run: RunRows, n: number): Promise<LaneEntry> {
    const known = this.#lanesByNumber.get(n)
    if (known !== undefined) return known
    const [row] = await run(LANE_BY_NUMBER, n)
    const entry = { type: Number(row?.['type']), queue: String(row?.['queue']) }
    this.#lanesByNumber.set(n, entry)
    return entry
  }

  async internPhaseList(names: readonly string[]): Promise<number> {
    const text = JSON.stringify(names)
    const known = this.#phaseLists.get(text) ?? this.#inherited?.phaseLists.get(text)
    if (known !== undefined) return known
    const [found] = await this.#run(PHASE_LIST, text)
    const [row] = found === undefined ? await this.#run(PUT_PHASE_LIST, text) : [found]
    const n = Number(row?.['n'])
    this.#phaseLists.set(text, n)
    this.#phaseNames.set(n, names)
    return n
  }

  async phaseNames(run: RunRows, list: number): Promise<readonly string[]> {
    const known = this.#phaseNames.get(list)
    if (known !== undefined) return known
    const [row] = await run('SELECT names FROM millrace.phase_lists WHERE n = $1', list)
    const names = JSON.parse(String(row?.['names'])) as readonly string[]
    this.#phaseNames.set(list, names)
    return names
  }
}

const TYPE = 'SELECT n, name, service, queue, policy, revision FROM millrace.types'
const TYPE_BY_NAME = `${TYPE} WHERE name = $1`
const TYPE_BY_NUMBER = `${TYPE} WHERE n = $1`

const PUT_PRODUCER_TYPE =
  'INSERT INTO millrace.types AS t (name, queue, policy, timeout_ms) VALUES ($1, $2, $3, $4) ' +
  'ON CONFLICT (name) DO UPDATE SET queue = excluded.queue, policy = excluded.policy, timeout_ms = excluded.timeout_ms, ' +
  'revision = t.revision + 1 WHERE t.service IS NULL RETURNING n, name, service, queue, policy, revision'

// A conflict that updates nothing would return nothing: these set a column to itself.
const PUT_QUEUE =
  'INSERT INTO millrace.queues (name) VALUES ($1) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING n'
const PUT_LANE =
  'INSERT INTO millrace.lanes (type, queue) VALUES ($1, $2) ON CONFLICT (type, queue) DO UPDATE SET type = excluded.type RETURNING n'
const LANE_BY_NAMES =
  'SELECT l.n FROM millrace.lanes AS l JOIN millrace.queues AS q ON q.n = l.queue WHERE l.type = $1 AND q.name = $2'
const PHASE_LIST = 'SELECT n FROM millrace.phase_lists WHERE names = $1'
const LANE_BY_NUMBER =
  'SELECT l.type, q.name AS queue FROM millrace.lanes AS l JOIN millrace.queues AS q ON q.n = l.queue WHERE l.n = $1'
const PUT_PHASE_LIST =
  'INSERT INTO millrace.phase_lists (names) VALUES ($1) ON CONFLICT (names) DO UPDATE SET names = excluded.names RETURNING n'
