/**
 * The file that the store's thread runs: it keeps the sessions of this process alive on a connection of its own, and answers a handler that
 * asks in the middle of a turn whether it is to stop. Loaded by path, never imported.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { Claim } from '../core/job-row.ts'
import { pulseReader } from '../runtime/pulse.ts'
import type { Timer } from '../runtime/runtime.ts'
import { answerLine } from '../runtime/sync-line.ts'
import { systemRuntime } from '../runtime/system-runtime.ts'
import type { Interruption } from '../store/claims.ts'
import { findInterruptions } from './claims.ts'
import { openLoneClient, rowsOf } from './driver.ts'
import type { LoneClient, RunRows } from './driver.ts'
import { inSchema } from './location.ts'
import { beat } from './sessions.ts'
import type { FromThread, ThreadData, ToThread } from './thread-messages.ts'

/** A beat that could not be made is tried again soon: a lease outlives some that are missed. */
const RETRY_MS = 100
const LEAST_ANSWER_MS = 250

interface Kept {
  readonly everyMs: number
  timer: Timer | null
}

class KeeperThread {
  readonly #port: MessagePort
  readonly #data: ThreadData
  readonly #runtime = systemRuntime()
  readonly #kept = new Map<number, Kept>()
  readonly #blockedMs: ReturnType<typeof pulseReader>
  #client: Promise<LoneClient> | null = null

  constructor(port: MessagePort, data: ThreadData) {
    this.#port = port
    this.#data = data
    this.#blockedMs = pulseReader(data.pulse)
  }

  listen(): void {
    this.#port.on('message', (message: ToThread) => {
      if (message.kind === 'keep') this.#keep(message.holder, message.everyMs)
      else this.#drop(message.holder)
    })
    answerLine(this.#data.line, (held) => this.#interruptions(held as readonly Claim[]))
  }

  #keep(holder: number, everyMs: number): void {
    const kept: Kept = { everyMs, timer: null }
    this.#kept.set(holder, kept)
    // At once: this thread may have taken some of the lease to come up, and takes more to connect.
    this.#beatIn(holder, kept, 0)
  }

  #drop(holder: number): void {
    this.#kept.get(holder)?.timer?.cancel()
    this.#kept.delete(holder)
  }

  #beatIn(holder: number, kept: Kept, ms: number): void {
    if (this.#kept.get(holder) === kept) kept.timer = this.#runtime.after(ms, () => void this.#beat(holder, kept))
  }

  async #beat(holder: number, kept: Kept): Promise<void> {
    try {
      const alive = await this.#run((run) => beat(run, null, holder, this.#blockedMs(kept.everyMs)))
      if (alive) return this.#beatIn(holder, kept, kept.everyMs)
      if (this.#kept.delete(holder)) this.#port.postMessage({ holder } satisfies FromThread)
    } catch {
      this.#beatIn(holder, kept, Math.min(RETRY_MS, kept.everyMs))
    }
  }

  /** Null: the database can't be asked now. */
  async #interruptions(held: readonly Claim[]): Promise<readonly Interruption[] | null> {
    try {
      return await this.#run((run) => findInterruptions(run, held))
    } catch {
      return null
    }
  }

  /** A connection on which anything went wrong is not used again. */
  async #run<T>(work: (run: RunRows) => Promise<T>): Promise<T> {
    const { schema, prepared } = this.#data
    const opening = (this.#client ??= this.#connect())
    try {
      const client = await opening
      return await work((sql, ...values) => rowsOf(client, inSchema(sql, schema), values, { prepared }))
    } catch (error) {
      if (this.#client === opening) this.#client = null
      opening
        .then(
          (client) => client.end(),
          () => undefined,
        )
        .catch(() => undefined)
      throw error
    }
  }

  /** An answer that takes as long as the time between two beats is as good as none. */
  #connect(): Promise<LoneClient> {
    const { url, answerWithinMs } = this.#data
    const shortest = Math.min(...[...this.#kept.values()].map(({ everyMs }) => everyMs))
    return openLoneClient({ url, answerWithinMs: Math.min(answerWithinMs, Math.max(LEAST_ANSWER_MS, shortest)) })
  }
}

if (parentPort !== null) new KeeperThread(parentPort, workerData as ThreadData).listen()
