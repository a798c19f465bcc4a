/** A host on the caller's thread: for a database in memory, and where threads are not wanted. */
import type { Timer } from '../runtime/runtime.ts'
import { systemRuntime } from '../runtime/system-runtime.ts'
import { openHost } from './host.ts'
import type { Host, HostOptions } from './host.ts'
import type { Link, LinkEvents } from './link.ts'
import { LOCK_PATIENCE_MS } from './locks.ts'
import { isWrite } from './operations.ts'
import type { CallOutcome, Answer, Arguments, OperationName, ReadName } from './operations.ts'
import { storeClosed } from '../store/refusals.ts'
import { asItIs, resolveUnpacked } from './unpacking.ts'
import type { Unpacking } from './unpacking.ts'

interface Waiting {
  readonly name: OperationName
  readonly args: unknown
  readonly settle: (outcome: CallOutcome) => void
  readonly calledAt: number
}

/** Whoever holds the lock may be waiting for this very thread, so it is not blocked for longer than a busy neighbour's commit takes. */
const PATIENCE_MS = 20
const RETRY_MS = 5

export class InlineLink implements Link {
  readonly sqliteVersion: string
  readonly #host: Host
  readonly #events: LinkEvents
  readonly #runtime = systemRuntime()
  #waiting: Waiting[] = []
  #retry: Timer | null = null
  #scheduled = false
  #paused = false
  #closed = false

  constructor(options: Omit<HostOptions, 'patienceMs'>, events: LinkEvents) {
    this.#events = events
    this.#host = openHost(
      { ...options, patienceMs: PATIENCE_MS },
      { onForeignCommit: events.onCommit, onSessionLost: events.onSessionLost },
    )
    this.sqliteVersion = this.#host.sqliteVersion
  }

  call<Name extends OperationName, Unpacked = Answer<Name>>(
    name: Name,
    args: Arguments<Name>,
    unpack?: (answer: Answer<Name>) => Unpacked,
  ): Promise<Unpacked> {
    if (this.#closed) return Promise.reject(storeClosed())
    return new Promise<Unpacked>((resolve, reject) => {
      const settle = (outcome: CallOutcome): void => {
        if ('error' in outcome) reject(outcome.error)
        else resolveUnpacked({ resolve, reject, unpack: unpack ?? asItIs } as Unpacking, outcome.answer)
      }
      this.#waiting.push({ name, args, settle, calledAt: this.#runtime.monotonic() })
      if (this.#scheduled) return
      // The first call of a turn takes along those that follow in it.
      this.#scheduled = true
      queueMicrotask(() => this.#work())
    })
  }

  ask<Name extends ReadName>(name: Name, args: Arguments<Name>): Answer<Name> | undefined {
    if (this.#closed) return undefined
    const [outcome] = this.#host.run([{ name, args }]).outcomes
    return outcome !== undefined && 'answer' in outcome ? (outcome.answer as Answer<Name>) : undefined
  }

  #work(): void {
    this.#scheduled = false
    const calls = this.#takeReady()
    if (calls.length === 0) return
    const { outcomes, changed } = this.#host.run(calls)
    for (const [index, call] of calls.entries()) this.#settle(call, outcomes[index] ?? { answer: undefined })
    if (this.#waiting.length > 0 && !this.#paused && !this.#closed) this.#workLater()
    if (changed) this.#events.onCommit()
  }

  /** Reads wait for nobody. */
  #takeReady(): readonly Waiting[] {
    const calls = this.#waiting
    const readsOnly = this.#paused || this.#retry !== null
    this.#waiting = readsOnly ? calls.filter(({ name }) => isWrite(name)) : []
    return readsOnly ? calls.filter(({ name }) => !isWrite(name)) : calls
  }

  #settle(call: Waiting, outcome: CallOutcome): void {
    const locked = 'error' in outcome && outcome.error.code === 'store-busy'
    const patient = this.#runtime.monotonic() - call.calledAt < LOCK_PATIENCE_MS
    if (locked && patient && !this.#closed) this.#waiting.push(call)
    else call.settle(outcome)
  }

  #workLater(): void {
    this.#retry ??= this.#runtime.after(RETRY_MS, () => {
      this.#retry = null
      this.#work()
    })
  }

  pause(): Promise<void> {
    if (this.#closed) return Promise.reject(storeClosed())
    this.#work()
    this.#paused = true
    this.#host.pause()
    return Promise.resolve()
  }

  resume(): void {
    if (this.#closed) return
    this.#paused = false
    this.#host.resume()
    this.#work()
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve()
    this.#closed = true
    this.#paused = false
    this.#retry?.cancel()
    this.#retry = null
    this.#work()
    this.#host.close()
    return Promise.resolve()
  }
}
