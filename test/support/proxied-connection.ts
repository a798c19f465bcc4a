/** One connection that goes by way of a proxy. */
import type { Socket } from 'node:net'

import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import { MessageStream, RequestStream } from './postgres-wire.ts'
import type { Request } from './postgres-wire.ts'

export interface Exchange extends Request {
  /** The statements of the transaction that it belongs to, its own included. */
  readonly transaction: readonly string[]
}

/**
 * - `pass`: nothing happens to it
 * - `lose-answer`: the server takes it, and the connection breaks before its answer
 * - `lose-request`: the connection breaks before the server hears of it
 * - `race`: the connection breaks as soon as it is on its way, whatever comes of it
 * - `hold`: nothing of it and of what follows arrives, and nothing comes back, until the connection is cut
 */
export type Fate = 'pass' | 'lose-answer' | 'lose-request' | 'race' | 'hold'

export interface ProxiedConnectionOptions {
  readonly client: Socket
  readonly server: Socket
  readonly delayMs: () => number
  readonly decide: (exchange: Exchange) => Fate
  readonly onClosed: () => void
}

const READY = 'Z'
const runtime = systemRuntime()

export class ProxiedConnection {
  readonly #options: ProxiedConnectionOptions
  readonly #requests = new RequestStream()
  readonly #answers = new MessageStream({ isClient: false })
  #transaction: string[] = []
  /** Requests that the server has yet to answer. */
  #unanswered = 0
  /** Whose answer is not passed on: 1 is the next. */
  #lost: number | null = null
  #isSilent = false

  constructor(options: ProxiedConnectionOptions) {
    const { client, server, onClosed } = options
    this.#options = options
    client.setNoDelay(true)
    server.setNoDelay(true)
    client.on('data', (chunk: Buffer) => this.#fromClient(chunk))
    server.on('data', (chunk: Buffer) => this.#fromServer(chunk))
    for (const socket of [client, server]) {
      socket.on('error', () => undefined)
      // Who is silent does not even say that the other has gone.
      for (const event of ['end', 'close']) socket.on(event, () => this.#isSilent || this.#gone(onClosed))
    }
  }

  goSilent(): void {
    this.#isSilent = true
  }

  cut(): void {
    this.#options.client.destroy()
    this.#options.server.destroy()
  }

  #gone(onClosed: () => void): void {
    this.cut()
    onClosed()
  }

  #fromClient(chunk: Buffer): void {
    for (const request of this.#requests.take(chunk)) {
      if (this.#isSilent) return
      this.#ask(request)
    }
  }

  #ask(request: Request): void {
    this.#transaction.push(...request.statements)
    const fate = request.isAnswered ? this.#options.decide({ ...request, transaction: this.#transaction }) : 'pass'
    if (fate === 'lose-request') return this.cut()
    if (fate === 'hold') return this.goSilent()
    if (request.isAnswered) this.#unanswered += 1
    if (fate === 'lose-answer') this.#lost = this.#unanswered
    this.#send(this.#options.server, request.bytes)
    // The bytes are with the system, which delivers them although the connection ends.
    if (fate === 'race') this.#options.server.end(() => this.cut())
  }

  #fromServer(chunk: Buffer): void {
    if (this.#isSilent) return
    if (this.#lost === null) this.#send(this.#options.client, chunk)
    for (const { type, body } of this.#answers.take(chunk)) if (type === READY) this.#ready(body)
  }

  #ready(body: Buffer): void {
    this.#unanswered = Math.max(0, this.#unanswered - 1)
    if (body.toString('latin1') === 'I') this.#transaction = []
    if (this.#lost === null) return
    this.#lost -= 1
    if (this.#lost === 0) this.cut()
  }

  #send(socket: Socket, bytes: Buffer): void {
    const delayMs = this.#options.delayMs()
    if (delayMs === 0) return void socket.write(bytes)
    runtime.after(delayMs, () => {
      if (!this.#isSilent) socket.write(bytes)
    })
  }
}
