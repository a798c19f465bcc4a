/** Waiting in tests: always for something that has a name, and never for longer than a time-out whose message says what did not come. */
import type { JobEvent, Millrace } from '../../src/index.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'

/** Far more than anything here takes, even on a busy machine: only a test that fails waits as long. */
const WAIT_MS = 60_000

const runtime = systemRuntime()

/** The promise's answer, or an error that names what was waited for. */
export async function within<T>(what: string, promise: Promise<T>, ms: number = WAIT_MS): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = runtime.after(ms, () => late.reject(new Error(`${what} did not happen within ${ms} ms`)))
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    timer.cancel()
  }
}

/** A wait of a length that a test is about, as the work of a handler that takes its time. Ends early, with the reason, if the signal fires. */
export function take(ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const timer = runtime.after(ms, resolve)
  const stop = (): void => {
    timer.cancel()
    reject(signal?.reason as Error)
  }
  if (signal?.aborted === true) stop()
  signal?.addEventListener('abort', stop, { once: true })
  return promise
}

/** The next turn of the event loop: what handlers that never wait otherwise give back. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** Milliseconds by a clock that two processes of one machine share. */
export function sharedNow(): number {
  return performance.timeOrigin + performance.now()
}

interface Hearer {
  readonly name: string
  /** Which of those of the name: 1 is the first. */
  readonly nth: number
  readonly resolve: (facts: unknown) => void
  readonly reject: (error: Error) => void
}

/** What was announced, by name, in the order it was: by a handler to the test around it, or by a child process to its parent. */
export class Announcements {
  readonly #from: string
  readonly #heard = new Map<string, unknown[]>()
  readonly #hearers = new Set<Hearer>()
  #ended: Error | null = null

  /** @param from who announces, for messages */
  constructor(from: string = 'a handler') {
    this.#from = from
  }

  tell(name: string, facts: unknown = null): void {
    const heard = this.#heard.get(name) ?? []
    this.#heard.set(name, heard)
    heard.push(facts)
    for (const hearer of this.#hearers) {
      if (hearer.name !== name || hearer.nth !== heard.length) continue
      this.#hearers.delete(hearer)
      hearer.resolve(facts)
    }
  }

  /** What was told with the announcement, which may have been made already. */
  async hear<Facts = unknown>(name: string, { nth = 1, ms = WAIT_MS }: HearOptions = {}): Promise<Facts> {
    const heard = this.#heard.get(name) ?? []
    if (heard.length >= nth) return heard[nth - 1] as Facts
    if (this.#ended !== null) throw this.#ended
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const hearer: Hearer = { name, nth, resolve, reject }
    this.#hearers.add(hearer)
    try {
      return (await within(`"${name}" (no. ${nth}) of ${this.#from}`, promise, ms)) as Facts
    } finally {
      this.#hearers.delete(hearer)
    }
  }

  /** How often it was announced so far. */
  count(name: string): number {
    return this.#heard.get(name)?.length ?? 0
  }

  /** Nothing more will be announced. */
  end(why: Error): void {
    this.#ended = why
    for (const { reject } of this.#hearers) reject(why)
    this.#hearers.clear()
  }
}

export interface HearOptions {
  readonly nth?: number
  readonly ms?: number
}

/** The first event of the name, of the log from its beginning; with `after`, the first after that position. */
export async function waitForEvent(
  mill: Pick<Millrace, 'subscribe'>,
  job: { readonly id: string },
  name: JobEvent['name'],
  options: WaitForEventOptions = {},
): Promise<JobEvent> {
  const { after = 0, where = () => true, ms = WAIT_MS } = options
  const { promise, resolve } = Promise.withResolvers<JobEvent>()
  const listener = (event: JobEvent): void => {
    if (event.name === name && where(event)) resolve(event)
  }
  const unsubscribe = await mill.subscribe(listener, { job: job.id, after })
  try {
    return await within(`${name} of job ${job.id}`, promise, ms)
  } finally {
    unsubscribe()
  }
}

export interface WaitForEventOptions {
  readonly after?: number
  readonly where?: (event: JobEvent) => boolean
  readonly ms?: number
}
