/**
 * A network between a store and its server that does what networks do: it cuts connections, also between a statement and its answer, delays,
 * and goes silent without a word.
 */
import { createServer, connect } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

import { ProxiedConnection } from './proxied-connection.ts'
import type { Exchange, Fate } from './proxied-connection.ts'

export interface ProxyOptions {
  /** Where it listens; the default is for this machine alone. */
  readonly host?: string
}

const LOOPBACK = '127.0.0.1'

export class TcpProxy {
  readonly #server: Server
  readonly #target: { readonly host: string; readonly port: number }
  readonly #connections = new Set<ProxiedConnection>()
  #decide: (exchange: Exchange) => Fate = () => 'pass'
  #isSilent = false
  #refuses = false
  #delayMs = 0

  constructor(url: string) {
    const { hostname, port } = new URL(url)
    this.#target = { host: hostname, port: Number(port) }
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket))
  }

  async listen({ host = LOOPBACK }: ProxyOptions = {}): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#server.once('error', reject)
    this.#server.listen(0, host, resolve)
    await promise
  }

  /** The same URL, by way of the proxy. */
  through(url: string): string {
    const { address, port } = this.#server.address() as AddressInfo
    const proxied = new URL(url)
    proxied.hostname = address
    proxied.port = `${port}`
    return proxied.href
  }

  /** What becomes of each exchange. */
  decide(decide: (exchange: Exchange) => Fate): void {
    this.#decide = decide
  }

  /** From now on everything passes; what is silent stays so. */
  letPass(): void {
    this.#decide = () => 'pass'
    this.#isSilent = false
    this.#refuses = false
  }

  /** How long each direction takes. */
  delay(ms: number): void {
    this.#delayMs = ms
  }

  /**
   * Swallows everything in both directions and closes nothing. Connections of that time stay silent for good, as if whoever stands between
   * had forgotten them; those that are made afterwards work.
   */
  goSilent(): void {
    this.#isSilent = true
    for (const connection of this.#connections) connection.goSilent()
  }

  /** Breaks every connection, and those that are made from now on, until they may pass. */
  refuse(): void {
    this.#refuses = true
    this.cut()
  }

  /** Breaks every connection. */
  cut(): void {
    for (const connection of this.#connections) connection.cut()
  }

  async close(): Promise<void> {
    this.cut()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    await promise
  }

  #accept(client: Socket): void {
    if (this.#refuses) return void client.destroy()
    const connection = new ProxiedConnection({
      client,
      server: connect({ ...this.#target, allowHalfOpen: true }),
      delayMs: () => this.#delayMs,
      decide: (exchange) => this.#decide(exchange),
      onClosed: () => this.#connections.delete(connection),
    })
    this.#connections.add(connection)
    if (this.#isSilent) connection.goSilent()
  }
}

/** Listens between here and the server of the URL. */
export async function openTcpProxy(url: string, options: ProxyOptions = {}): Promise<TcpProxy> {
  const proxy = new TcpProxy(url)
  await proxy.listen(options)
  return proxy
}
