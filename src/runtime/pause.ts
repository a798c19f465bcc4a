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
 * @returns whether the promise settled, well or badly, within `ms`
 */
export async function settlesWithin(runtime: Runtime, ms: number, promise: Promise<unknown>): Promise<boolean> {
  const { promise: answer, resolve } = Promise.withResolvers<boolean>()
  const timer = runtime.after(ms, () => resolve(false))
  const settled = (): void => resolve(true)
  promise.then(settled, settled)
  const inTime = await answer
  timer.cancel()
  return inTime
}
