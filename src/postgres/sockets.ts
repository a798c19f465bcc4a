import { Socket } from 'node:net'

/**
 * The sockets of one store's connections. A driver that ends a connection takes leave of the server and waits for its answer; on a way that has
 * gone silent none comes, and what is left of the connection keeps the process alive.
 */
export class Sockets {
  readonly #open = new Set<Socket>()
  #isCut = false
  #onClosed: () => void = () => undefined

  /** One for the driver to connect. */
  make(): Socket {
    const socket = new Socket()
    this.#open.add(socket)
    socket.once('close', () => {
      this.#open.delete(socket)
      if (this.#open.size === 0) this.#onClosed()
    })
    // Not within the driver's own steps, which still have to listen for the end.
    if (this.#isCut) queueMicrotask(() => socket.destroy())
    return socket
  }

  /** Resolves when all are closed. The process is kept alive until then: a pool lets it end while its connections have nothing to do. */
  closed(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve()
    for (const socket of this.#open) socket.ref()
    return new Promise((resolve) => (this.#onClosed = resolve))
  }

  /** Ends all of them, and those that are made from now on, whatever is under way on them. */
  cut(): void {
    this.#isCut = true
    for (const socket of this.#open) socket.destroy()
  }
}
