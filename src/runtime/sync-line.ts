/**
 * Asking a thread in the middle of a turn. A handler that computes without a pause keeps every answer that comes by message out of reach,
 * yet may want to know whether it has been cancelled; so there is a port beside the usual one, and a bell in shared memory to wait for.
 */
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'

/** The thread's end of the line. */
export interface LineEnd {
  readonly port: MessagePort
  /** Four bytes, raised with each answer. */
  readonly bell: SharedArrayBuffer
}

interface Question {
  readonly number: number
  readonly call: unknown
}

interface LineAnswer {
  readonly number: number
  readonly answer: unknown
}

/** A thread that is at something else for so long is not waited for. */
const PATIENCE_MS = 100

export class SyncLine {
  readonly #port: MessagePort
  readonly #bell: Int32Array<SharedArrayBuffer>
  #lastNumber = 0

  constructor({ port, bell }: LineEnd) {
    this.#port = port
    this.#bell = new Int32Array(bell)
  }

  /** Blocks the calling thread for as long as the read takes. Undefined: there was no answer in time, or it was an error. */
  ask(call: unknown): unknown {
    this.#lastNumber += 1
    const rung = Atomics.load(this.#bell, 0)
    this.#port.postMessage({ number: this.#lastNumber, call } satisfies Question)
    Atomics.wait(this.#bell, 0, rung, PATIENCE_MS)
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port)) {
      const { number, answer } = next.message as LineAnswer
      // Others are answers that nobody waited for.
      if (number === this.#lastNumber) return answer
    }
    return undefined
  }

  close(): void {
    this.#port.close()
  }
}

/** Answers what is asked on the line for as long as the thread lives. */
export function answerLine({ port, bell }: LineEnd, run: (call: unknown) => unknown): void {
  const rings = new Int32Array(bell)
  const answer = async ({ number, call }: Question): Promise<void> => {
    port.postMessage({ number, answer: await run(call) } satisfies LineAnswer)
    Atomics.add(rings, 0, 1)
    Atomics.notify(rings, 0)
  }
  port.on('message', (question: Question) => void answer(question))
  port.unref()
}

/** Both ends of a line; the far one is for the thread, and its port has to be transferred. */
export function openLine(): { readonly near: LineEnd; readonly far: LineEnd } {
  const { port1, port2 } = new MessageChannel()
  const bell = new SharedArrayBuffer(4)
  return { near: { port: port1, bell }, far: { port: port2, bell } }
}
