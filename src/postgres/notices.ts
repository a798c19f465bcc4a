/**
 * Hearing of commits, and telling of them. Each process listens on a connection of its own. Its own commits wake it directly; to the others
 * it sends a notice after the commit, on the same connection, so that no transaction waits for the lock that notices are sent under; what is
 * committed while one is under way shares the next. A notice is a hint: whoever waits looks by himself from time to time.
 */
import type { Runtime, Timer } from '../runtime/runtime.ts'
import { rowsOf } from './driver.ts'
import type { PgClient } from './driver.ts'

export interface Listening {
  readonly client: PgClient
  readonly close: () => Promise<void> | void
}

interface Notice {
  readonly sql: string
  readonly values: readonly string[]
}

export interface NoticesOptions {
  readonly schema: string
  readonly runtime: Runtime
  /** Opens the connection; what is answered closes it. */
  readonly connect: () => Promise<Listening>
  /** False: behind a pooler that hands out connections transaction by transaction, nothing can be heard. */
  readonly listens: boolean
  readonly onChange: () => void
}

/** While nothing can be heard, everybody looks as often as this. */
const POLL_MS = 250
const RECONNECT_MS = 200
/** Between two notices of a process. */
const GAP_MS = 1

export class Notices {
  readonly #options: NoticesOptions
  readonly #channel: string
  readonly #self: string
  #connection: Listening | null = null
  #poll: Timer | null = null
  #untold = false
  #telling: Promise<void> | null = null
  #endGap: () => void = () => undefined
  #closing = false
  #closed = false

  constructor(options: NoticesOptions) {
    this.#options = options
    this.#channel = channelOf(options.schema)
    this.#self = options.runtime.uuid()
  }

  /** Resolves once it listens; throws where the connection can't be opened. */
  async open(): Promise<void> {
    await this.#connect()
  }

  async #connect(): Promise<void> {
    const connection = await this.#options.connect()
    const { client } = connection
    let lost = false
    const onLost = (): void => {
      lost = true
      this.#lost(connection)
    }
    client.on('notification', ({ channel, payload }) => {
      if (channel === this.#channel && payload !== this.#self) this.#options.onChange()
    })
    client.on('error', onLost)
    client.on('end', onLost)
    try {
      if (this.#options.listens) await client.query(`LISTEN "${this.#channel}"`)
      if (lost) throw new Error('connection terminated')
    } catch (error) {
      closeQuietly(connection)
      throw error
    }
    if (this.#closed) return closeQuietly(connection)
    this.#connection = connection
    if (this.#options.listens) this.#stopPolling()
    else this.#pollOn()
  }

  /** One that breaks before it is used is the affair of whoever made it. */
  #lost(connection: Listening): void {
    if (this.#connection !== connection || this.#closed) return
    this.#connection = null
    closeQuietly(connection)
    this.#pollOn()
    this.#reconnectSoon()
  }

  #reconnectSoon(): void {
    this.#options.runtime.after(RECONNECT_MS, () => void this.#reconnect(), { idle: true })
  }

  async #reconnect(): Promise<void> {
    if (this.#closed) return
    try {
      await this.#connect()
      // Whatever was told meanwhile was told to nobody here.
      this.#options.onChange()
      if (this.#untold) this.tell()
    } catch {
      this.#reconnectSoon()
    }
  }

  #pollOn(): void {
    if (this.#poll !== null || this.#closed) return
    this.#poll = this.#options.runtime.after(
      POLL_MS,
      () => {
        this.#poll = null
        this.#options.onChange()
        this.#pollOn()
      },
      { idle: true },
    )
  }

  #stopPolling(): void {
    this.#poll?.cancel()
    this.#poll = null
  }

  /** This process has committed something. */
  tell(): void {
    this.#untold = true
    this.#telling ??= this.#tellAll()
  }

  /**
   * A notice that goes right behind a statement which is committed by itself, on the same connection, so that it is heard a trip to the server
   * sooner. Null: the last one was only just now, so this process is to `tell` when the statement has been answered.
   */
  ride(): Notice | null {
    if (this.#telling !== null || this.#connection === null || this.#closed) return null
    this.#telling = this.#tellLater()
    return { sql: NOTIFY, values: [this.#channel, this.#self] }
  }

  /** For a transaction of the application's: told when that is committed, and not if it isn't. */
  get statement(): Notice {
    return { sql: NOTIFY, values: [this.#channel, ''] }
  }

  async #tellAll(): Promise<void> {
    // What is committed in the same turn shares the first notice; and it is never over before it is known to be under way.
    await Promise.resolve()
    while (this.#untold && !this.#closed) {
      const { client } = this.#connection ?? {}
      // The next connection goes on with it.
      if (client === undefined) break
      this.#untold = false
      try {
        await rowsOf(client, NOTIFY, [this.#channel, this.#self], { prepared: this.#options.listens })
      } catch {
        this.#untold = true
        break
      }
      await this.#gap()
    }
    this.#telling = null
  }

  async #tellLater(): Promise<void> {
    await this.#gap()
    await this.#tellAll()
  }

  /** Closing ends it: what was committed last is told at once. */
  #gap(): Promise<void> {
    return new Promise((resolve) => {
      this.#endGap = resolve
      if (this.#closing) resolve()
      else this.#options.runtime.after(GAP_MS, resolve, { idle: true })
    })
  }

  async close(): Promise<void> {
    this.#stopPolling()
    this.#closing = true
    this.#endGap()
    // What was committed last is still told.
    await this.#telling
    this.#closed = true
    await this.#connection?.close()
    this.#connection = null
  }
}

function closeQuietly(connection: Listening): void {
  void Promise.resolve(connection.close()).catch(() => undefined)
}

const NOTIFY = 'SELECT pg_notify($1, $2)'

/** Names of channels are cut after 63 characters. */
function channelOf(schema: string): string {
  return `millrace_${schema}`.slice(0, 63)
}
