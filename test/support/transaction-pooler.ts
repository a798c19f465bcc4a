/**
 * A transaction pooler: many connections of clients share a few of the server's, each for one transaction at a time. As with those that are
 * in use, whatever a client sets or prepares outside of a transaction stays on a connection that the next transaction of somebody else gets.
 */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

import pg from 'pg'

import { MessageStream, RequestStream } from './postgres-wire.ts'
import type { Request } from './postgres-wire.ts'

const READY = 'Z'
const IDLE = 'I'
const TERMINATE = 'X'
const STARTUP_VERSION = 3 << 16
const SSL_REQUEST = 80_877_103
const GSS_REQUEST = 80_877_104

/** What clients look at when they connect. */
const PARAMETERS = { server_version: '18.0', client_encoding: 'UTF8', standard_conforming_strings: 'on' } as const

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(type, 'latin1')
  head.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

/** Nobody has to prove who he is: what the pooler is allowed, its clients are. */
function welcome(): Buffer {
  const parameters = Object.entries(PARAMETERS).map(([name, text]) => message('S', Buffer.from(`${name}\0${text}\0`)))
  return Buffer.concat([
    message('R', Buffer.alloc(4)),
    ...parameters,
    message('K', Buffer.alloc(8)),
    message(READY, Buffer.from(IDLE)),
  ])
}

/** One of the server's connections. */
interface Backend {
  readonly socket: Socket
  readonly answers: MessageStream
  client: PooledClient | null
}

interface PooledClient {
  readonly socket: Socket
  readonly waiting: Request[]
  backend: Backend | null
  unanswered: number
}

export class TransactionPooler {
  readonly #url: string
  readonly #server: Server
  readonly #free: Backend[] = []
  readonly #queue: PooledClient[] = []
  readonly #sockets = new Set<Socket>()
  /** Names under which clients have prepared statements: with a pooler between, nobody may. */
  readonly #prepared: string[] = []
  #lent = 0
  #closed = false

  constructor(url: string) {
    this.#url = url
    this.#server = createServer((socket) => this.#accept(socket))
  }

  async open(connections: number): Promise<void> {
    for (let opened = 0; opened < connections; opened += 1) this.#free.push(await this.#connect())
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.listen(0, '127.0.0.1', resolve)
    await promise
  }

  /** The same URL, by way of the pooler. */
  through(url: string): string {
    const pooled = new URL(url)
    const { port } = this.#server.address() as AddressInfo
    pooled.hostname = '127.0.0.1'
    pooled.port = `${port}`
    return pooled.href
  }

  get prepared(): readonly string[] {
    return this.#prepared
  }

  /** How often a client was lent a connection. */
  get lent(): number {
    return this.#lent
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#closed = true
    this.#server.close(() => resolve())
    for (const socket of this.#sockets) socket.destroy()
    await promise
  }

  /** The driver connects and proves who it is; from then on its socket is the pooler's. */
  async #connect(): Promise<Backend> {
    const driver = new pg.Client({ connectionString: this.#url })
    await driver.connect()
    const { stream: socket } = (driver as unknown as { readonly connection: { readonly stream: Socket } }).connection
    for (const event of ['data', 'error', 'end', 'close']) socket.removeAllListeners(event)
    const backend: Backend = { socket, answers: new MessageStream({ isClient: false }), client: null }
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (chunk: Buffer) => this.#fromServer(backend, chunk))
    return backend
  }

  #accept(socket: Socket): void {
    const client: PooledClient = { socket, waiting: [], backend: null, unanswered: 0 }
    const requests = new RequestStream()
    let isWelcome = false
    this.#sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
    socket.on('close', () => this.#gone(client))
    socket.on('data', (chunk: Buffer) => {
      if (isWelcome) return this.#ask(client, requests.take(chunk))
      const code = chunk.readUInt32BE(4)
      if (code === STARTUP_VERSION) {
        isWelcome = true
        requests.take(chunk)
        socket.write(welcome())
      } else if (code === SSL_REQUEST || code === GSS_REQUEST) socket.write('N')
      else socket.destroy()
    })
  }

  #ask(client: PooledClient, requests: readonly Request[]): void {
    for (const request of requests) {
      if (request.bytes.toString('latin1', 0, 1) === TERMINATE) return void client.socket.end()
      this.#prepared.push(...request.prepared)
      client.waiting.push(request)
    }
    if (client.backend !== null) return this.#forward(client, client.backend)
    if (client.waiting.length === 0 || this.#queue.includes(client)) return
    this.#queue.push(client)
    this.#lend()
  }

  #lend(): void {
    while (this.#free.length > 0) {
      const client = this.#queue.shift()
      if (client === undefined) return
      const backend = this.#free.shift()
      assert.ok(backend !== undefined)
      this.#lent += 1
      backend.client = client
      client.backend = backend
      this.#forward(client, backend)
    }
  }

  #forward(client: PooledClient, { socket }: Backend): void {
    for (const { bytes, isAnswered } of client.waiting.splice(0)) {
      if (isAnswered) client.unanswered += 1
      socket.write(bytes)
    }
  }

  #fromServer(backend: Backend, chunk: Buffer): void {
    const { client } = backend
    for (const { type, bytes, body } of backend.answers.take(chunk)) {
      client?.socket.write(bytes)
      if (type !== READY || client === null) continue
      client.unanswered -= 1
      if (client.unanswered === 0 && body.toString('latin1') === IDLE) this.#takeBack(client, backend)
    }
  }

  #takeBack(client: PooledClient, backend: Backend): void {
    backend.client = null
    client.backend = null
    // In turn, so that no client gets the one it has just had.
    this.#free.push(backend)
    this.#lend()
  }

  /** A client that leaves in the middle of something takes the connection with it. */
  #gone(client: PooledClient): void {
    const waits = this.#queue.indexOf(client)
    if (waits >= 0) this.#queue.splice(waits, 1)
    const { backend } = client
    this.#sockets.delete(client.socket)
    if (backend === null) return
    backend.client = null
    backend.socket.destroy()
    this.#sockets.delete(backend.socket)
    void this.#replace()
  }

  /** Not for those that were cut off by the end, or the process would go on for as long as the new connection. */
  async #replace(): Promise<void> {
    if (this.#closed) return
    const backend = await this.#connect()
    if (this.#closed) return void backend.socket.destroy()
    this.#free.push(backend)
    this.#lend()
  }
}

/** Between here and the server of the URL, with so many connections to it. */
export async function openTransactionPooler(url: string, connections: number): Promise<TransactionPooler> {
  const pooler = new TransactionPooler(url)
  await pooler.open(connections)
  return pooler
}
