/** The handler's end of the line to its worker, in a thread as in a process: a port, and a bell in shared memory that says when to look at it. */
import { receiveMessageOnPort } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { FromHandler, ToHandler } from './messages.ts'

export interface LineEnd {
  readonly port: MessagePort
  /** Counters that both sides see: see `BELL`. */
  readonly bell: SharedArrayBuffer
}

/** Places in the bell. */
export const BELL = {
  /** Raised after each message that must not wait for a turn of the event loop. */
  rung: 0,
  /** Messages that the handler's side has told. */
  told: 1,
  /** Messages that have been passed on to the worker. Only a process counts them. */
  passed: 2,
} as const

export function newBell(): SharedArrayBuffer {
  return new SharedArrayBuffer(Object.keys(BELL).length * Int32Array.BYTES_PER_ELEMENT)
}

/** What is told just before the end is waited for no longer. */
const FLUSH_MS = 200

export class HandlerEnd {
  readonly #port: MessagePort
  readonly #bell: Int32Array<SharedArrayBuffer>
  #take: (message: ToHandler) => void = () => {}
  #heard = 0

  constructor({ port, bell }: LineEnd) {
    this.#port = port
    this.#bell = new Int32Array(bell)
  }

  listen(take: (message: ToHandler) => void): void {
    this.#take = take
    this.#port.on('message', take)
  }

  tell(message: FromHandler): void {
    this.#port.postMessage(message)
    Atomics.add(this.#bell, BELL.told, 1)
  }

  /** Blocks until what was told has been passed on: the process is about to end, and whoever passes it on with it. */
  flush(): void {
    const told = Atomics.load(this.#bell, BELL.told)
    for (;;) {
      const passed = Atomics.load(this.#bell, BELL.passed)
      if (passed >= told || Atomics.wait(this.#bell, BELL.passed, passed, FLUSH_MS) === 'timed-out') return
    }
  }

  /** In the middle of a turn: takes what has come if the bell has rung since. A read of memory otherwise. */
  lookIfRung(): void {
    const rung = Atomics.load(this.#bell, BELL.rung)
    if (rung === this.#heard) return
    this.#heard = rung
    this.look()
  }

  /** Takes what has come. */
  look(): void {
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port)) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- both ends are of one version, and this is what the other one writes
      this.#take(next.message as ToHandler)
    }
  }
}
