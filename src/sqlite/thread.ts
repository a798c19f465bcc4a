/** The file that the store's threads run: a host behind a message port. Loaded by path, never imported. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { storeError } from './driver.ts'
import { openHost } from './host.ts'
import type { Host, HostCall } from './host.ts'
import { answerLine } from '../runtime/sync-line.ts'
import type { LineEnd } from '../runtime/sync-line.ts'
import { PROTOCOL, flattenAnswers, unflattenCalls } from './messages.ts'
import { packError } from './packed-error.ts'
import type { FromThread, NumberedCall, ThreadData, ToThread } from './messages.ts'

/** So many calls share a transaction at most: the first of them should not wait long for the last. */
const CALLS_A_COMMIT = 4_000

class Thread {
  readonly #port: MessagePort
  readonly #host: Host
  #waiting: NumberedCall[] = []
  #paused = false

  private constructor(port: MessagePort, data: ThreadData) {
    this.#port = port
    this.#host = openHost(data, {
      onForeignCommit: () => this.#tell({ kind: 'foreign-commit' }),
      onSessionLost: (holder) => this.#tell({ kind: 'session-lost', holder }),
    })
  }

  static start(port: MessagePort, data: ThreadData): void {
    new Thread(port, data).#listen(data.line)
  }

  #listen(line: LineEnd | null): void {
    const port = this.#port
    port.on('message', (message: ToThread) => {
      this.#take(message)
      // Everything that has arrived by now shares the next commit, and what arrives during it the one after.
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
        this.#take(next.message as ToThread)
      }
      this.#work()
    })
    if (line !== null) answerLine(line, (call) => this.#answer(call as HostCall))
    this.#tell({ kind: 'ready', sqliteVersion: this.#host.sqliteVersion })
  }

  #tell(message: FromThread): void {
    this.#port.postMessage(message)
  }

  #take(message: ToThread): void {
    switch (message.kind) {
      case 'calls':
        this.#waiting.push(...unflattenCalls(message.calls))
        return
      case 'pause':
        this.#work()
        this.#paused = true
        this.#host.pause()
        this.#tell({ kind: 'paused' })
        return
      case 'resume':
        this.#paused = false
        this.#host.resume()
        return
      case 'close':
        this.#close()
    }
  }

  #answer(call: HostCall): unknown {
    const [outcome] = this.#host.run([call]).outcomes
    return outcome !== undefined && 'answer' in outcome ? outcome.answer : undefined
  }

  #work(): void {
    while (!this.#paused && this.#waiting.length > 0) {
      const calls = this.#waiting.splice(0, CALLS_A_COMMIT)
      const { outcomes, changed } = this.#host.run(calls)
      this.#tell({ kind: 'answers', answers: flattenAnswers(calls, outcomes), changed })
    }
  }

  #close(): void {
    this.#paused = false
    this.#work()
    this.#host.close()
    this.#tell({ kind: 'closed' })
    this.#port.close()
  }
}

function start(port: MessagePort, data: ThreadData): void {
  if (data.protocol !== PROTOCOL) throw new RangeError(`the thread speaks protocol ${PROTOCOL}, not ${data.protocol}`)
  try {
    Thread.start(port, data)
  } catch (error) {
    const refusal: FromThread = { kind: 'refused', error: packError(storeError(error, data.file)) }
    port.postMessage(refusal)
    port.close()
  }
}

if (parentPort !== null) start(parentPort, workerData as ThreadData)
