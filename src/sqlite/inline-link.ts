/** A host on the caller's thread: for a database in memory, and where threads are not wanted. */
import { MillraceError } from '../core/errors.ts'
import { openHost } from './host.ts'
import type { Host, HostOptions } from './host.ts'
import type { Link, LinkEvents } from './link.ts'
import type { Answer, Arguments, OperationName } from './operations.ts'
import { isWrite } from './operations.ts'
import type { CallOutcome } from './writer.ts'

interface Waiting {
  readonly name: OperationName
  readonly args: unknown
  readonly settle: (outcome: CallOutcome) => void
}

export class InlineLink implements Link {
  readonly sqliteVersion: string
  readonly #host: Host
  readonly #events: LinkEvents
  #waiting: Waiting[] = []
  #paused = false
  #closed = false

  constructor(options: HostOptions, events: LinkEvents) {
    this.#events = events
    this.#host = openHost(options, { onForeignCommit: events.onCommit, onSessionLost: events.onSessionLost })
    this.sqliteVersion = this.#host.sqliteVersion
  }

  call<Name extends OperationName>(name: Name, args: Arguments<Name>): Promise<Answer<Name>> {
    if (this.#closed) return Promise.reject(storeClosed())
    return new Promise((resolve, reject) => {
      const settle = (outcome: CallOutcome): void => {
        if ('error' in outcome) reject(outcome.error)
        else resolve(outcome.answer as Answer<Name>)
      }
      this.#waiting.push({ name, args, settle })
      // The first call of a turn takes along those that follow in it.
      if (this.#waiting.length === 1) queueMicrotask(() => this.#work())
    })
  }

  #work(): void {
    if (this.#paused || this.#waiting.length === 0) return
    const calls = this.#waiting
    this.#waiting = []
    const outcomes = this.#host.run(calls)
    for (const [index, { settle }] of calls.entries()) settle(outcomes[index] ?? { answer: undefined })
    if (calls.some(({ name }) => isWrite(name))) this.#events.onCommit()
  }

  pause(): Promise<void> {
    this.#work()
    this.#paused = true
    return Promise.resolve()
  }

  resume(): void {
    this.#paused = false
    this.#work()
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve()
    this.resume()
    this.#closed = true
    this.#host.close()
    return Promise.resolve()
  }
}

export function storeClosed(): MillraceError {
  return new MillraceError('store-closed', 'This Millrace has been closed. Open a new one.')
}
