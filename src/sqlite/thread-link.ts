/**
 * A host on a thread of its own. The thread keeps the process alive exactly while a call is under way: an unreferenced thread once lost a
 * commit that was pending at exit.
 */
import { Worker } from 'node:worker_threads'
import { MillraceError } from '../core/errors.ts'
import type { HostOptions } from './host.ts'
import { storeClosed } from './inline-link.ts'
import type { Link, LinkEvents } from './link.ts'
import { PROTOCOL, unpackError } from './messages.ts'
import type { FromThread, NumberedAnswer, NumberedCall, ThreadData, ToThread } from './messages.ts'
import type { Answer, Arguments, OperationName } from './operations.ts'

/** A larger message holds up the thread that posts it, and the one that reads it, for too long. */
const CALLS_A_MESSAGE = 250

interface Pending {
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: MillraceError) => void
}

export class ThreadLink implements Link {
  readonly #worker: Worker
  readonly #events: LinkEvents
  readonly #pending = new Map<number, Pending>()
  #outgoing: NumberedCall[] = []
  #lastNumber = 0
  #onPaused: (() => void) | null = null
  #broken: MillraceError | null = null
  #closing: Promise<void> | null = null
  #onClosed: () => void = () => undefined
  sqliteVersion = ''

  private constructor(threadFile: URL, options: HostOptions, events: LinkEvents) {
    const data: ThreadData = { ...options, protocol: PROTOCOL }
    // Flags of the main thread (a loader, a debugger) have no business in this one.
    this.#worker = new Worker(threadFile, { workerData: data, execArgv: [], name: `millrace ${options.role}` })
    this.#events = events
  }

  static async open(threadFile: URL, options: HostOptions, events: LinkEvents): Promise<ThreadLink> {
    const link = new ThreadLink(threadFile, options, events)
    await link.#started()
    link.#worker.unref()
    return link
  }

  #started(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#worker.once('error', (error) => reject(notStarted(error)))
      this.#worker.once('message', (message: FromThread) => {
        this.#worker.removeAllListeners('error')
        if (message.kind === 'refused') {
          reject(unpackError(message.error))
          return
        }
        if (message.kind === 'ready') this.sqliteVersion = message.sqliteVersion
        this.#worker.on('message', (next: FromThread) => this.#receive(next))
        this.#worker.on('error', (error) => this.#break(error))
        this.#worker.on('exit', () => this.#ended())
        resolve()
      })
    })
  }

  call<Name extends OperationName>(name: Name, args: Arguments<Name>): Promise<Answer<Name>> {
    if (this.#broken !== null) return Promise.reject(this.#broken)
    if (this.#closing !== null) return Promise.reject(storeClosed())
    return new Promise((resolve, reject) => {
      this.#lastNumber += 1
      if (this.#pending.size === 0) this.#worker.ref()
      this.#pending.set(this.#lastNumber, { resolve: (answer) => resolve(answer as Answer<Name>), reject })
      this.#outgoing.push({ number: this.#lastNumber, name, args })
      if (this.#outgoing.length === 1) queueMicrotask(() => this.#flush())
    })
  }

  #flush(): void {
    const calls = this.#outgoing
    this.#outgoing = []
    for (let start = 0; start < calls.length; start += CALLS_A_MESSAGE) {
      this.#post({ kind: 'calls', calls: calls.slice(start, start + CALLS_A_MESSAGE) })
    }
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message)
  }

  #receive(message: FromThread): void {
    switch (message.kind) {
      case 'answers':
        for (const answer of message.answers) this.#settle(answer)
        if (this.#pending.size === 0) this.#worker.unref()
        if (message.wrote) this.#events.onCommit()
        return
      case 'foreign-commit':
        this.#events.onCommit()
        return
      case 'session-lost':
        this.#events.onSessionLost(message.holder)
        return
      case 'paused':
        this.#onPaused?.()
        return
      case 'closed':
        this.#onClosed()
        return
      case 'ready':
      case 'refused':
    }
  }

  #settle(answer: NumberedAnswer): void {
    const pending = this.#pending.get(answer.number)
    this.#pending.delete(answer.number)
    if ('error' in answer) pending?.reject(unpackError(answer.error))
    else pending?.resolve(answer.answer)
  }

  #break(cause: unknown): void {
    this.#broken ??= new MillraceError(
      'internal',
      'The thread of the store has died. Open a new Millrace, and please report this.',
      { cause },
    )
    for (const { reject } of this.#pending.values()) reject(this.#broken)
    this.#pending.clear()
    this.#events.onBroken(this.#broken)
  }

  #ended(): void {
    this.#onClosed()
    if (this.#closing === null && this.#broken === null) this.#break(new Error('the thread has ended'))
  }

  pause(): Promise<void> {
    this.#flush()
    this.#worker.ref()
    return new Promise((resolve) => {
      this.#onPaused = resolve
      this.#post({ kind: 'pause' })
    })
  }

  resume(): void {
    this.#post({ kind: 'resume' })
    if (this.#pending.size === 0) this.#worker.unref()
  }

  close(): Promise<void> {
    this.#flush()
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#broken === null) {
      this.#worker.ref()
      await new Promise<void>((resolve) => {
        this.#onClosed = resolve
        this.#post({ kind: 'close' })
      })
    }
    await this.#worker.terminate()
  }
}

function notStarted(cause: unknown): MillraceError {
  return new MillraceError(
    'thread-missing',
    'The file of the store\'s thread could not be run. With a bundler, keep "millrace" out of the bundle (esbuild: --external:millrace), ' +
      'or pass openMillrace the option threadFile: the path of a copy of "millrace/sqlite-thread".',
    { cause },
  )
}
