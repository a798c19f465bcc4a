import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { CellBody, CellEvents } from './cell.ts'
import { BELL, newBell } from './handler-end.ts'
import type { FromHandler, ToHandler } from './messages.ts'
import type { ThreadPart } from './thread.ts'

/** A thread of this process. What a system call or a synchronous child process holds up can't be ended before it returns. */
export class ThreadBody implements CellBody {
  readonly #worker: Worker
  readonly #port: MessagePort
  readonly #bell: Int32Array<SharedArrayBuffer>
  #ending = false

  constructor(file: URL, module: string, events: CellEvents) {
    const { port1: near, port2: far } = new MessageChannel()
    const bell = newBell()
    const part: ThreadPart = { module, port: far, bell }
    // Unlike the store's thread it runs the application's code, and has the flags for it: a loader, conditions. But no file can be run with
    // the one that says what kind of text the program is.
    const isText = process.execArgv.some((flag) => flag.startsWith('--input-type'))
    this.#worker = new Worker(file, {
      workerData: { millrace: part },
      name: 'millrace handler',
      transferList: [far],
      ...(isText ? { execArgv: [] } : {}),
    })
    this.#port = near
    this.#bell = new Int32Array(bell)
    near.on('message', events.onMessage)
    let thrown: unknown = null
    this.#worker.on('error', (error) => {
      thrown = error
    })
    this.#worker.once('exit', (exitCode) => {
      // What it said before it ended counts.
      for (let next = receiveMessageOnPort(near); next !== undefined; next = receiveMessageOnPort(near)) {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- both ends are of one version, and this is what the other one writes
        events.onMessage(next.message as FromHandler)
      }
      near.close()
      const stoppedBy = this.#ending ? 'terminate' : 'handler'
      events.onExit({ stoppedBy, exitCode, signal: null, error: thrown })
    })
  }

  tell(message: ToHandler): void {
    this.#port.postMessage(message)
    if (message.kind === 'stop') Atomics.add(this.#bell, BELL.rung, 1)
  }

  hold(held: boolean): void {
    if (held) {
      this.#worker.ref()
      this.#port.ref()
    } else {
      this.#worker.unref()
      this.#port.unref()
    }
  }

  end(): void {
    this.#ending = true
    void this.#worker.terminate()
  }

  kill(): void {
    this.end()
  }
}
