import type { Runtime } from './runtime.ts'

/** Resolves after at least `ms`. */
export function pause(runtime: Runtime, ms: number): Promise<void> {
  return new Pauses().wait(runtime, ms)
}

/** Waits that can be ended before their time, so that whoever stops leaves no timer behind. */
export class Pauses {
  readonly #ends = new Set<() => void>()

  /** Resolves after at least `ms`, or when all are ended. */
  wait(runtime: Runtime, ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const end = (): void => {
      timer.cancel()
      this.#ends.delete(end)
      resolve()
    }
    const timer = runtime.after(ms, end)
    this.#ends.add(end)
    return promise
  }

  endAll(): void {
    for (const end of this.#ends) end()
  }
}

/**
 * Waits for a promise, but not for long.
 *
 * @param hurry when it fires, the wait is over too. Default: it never does
 * @returns whether the promise settled, well or badly, within `ms`
 */
export async function settlesWithin(
  runtime: Runtime,
  ms: number,
  promise: Promise<unknown>,
  hurry: AbortSignal = NEVER,
): Promise<boolean> {
  const late = new AbortController()
  const timer = runtime.after(ms, () => late.abort())
  const inTime = await settlesBefore(hurry === NEVER ? late.signal : AbortSignal.any([late.signal, hurry]), promise)
  timer.cancel()
  return inTime
}

/** Never fires. */
export const NEVER: AbortSignal = new AbortController().signal

/** Waits for a promise until a signal fires. Answers whether the promise settled, well or badly, by then. */
export async function settlesBefore(signal: AbortSignal, promise: Promise<unknown>): Promise<boolean> {
  const { promise: answer, resolve } = Promise.withResolvers<boolean>()
  const settled = (): void => resolve(true)
  const fired = (): void => resolve(false)
  promise.then(settled, settled)
  if (signal.aborted) fired()
  else signal.addEventListener('abort', fired, { once: true })
  const inTime = await answer
  signal.removeEventListener('abort', fired)
  return inTime
}
