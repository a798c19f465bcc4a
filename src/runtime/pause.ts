import type { Runtime } from './runtime.ts'

/** Resolves after at least `ms`. */
export function pause(runtime: Runtime, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  runtime.after(ms, resolve)
  return promise
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
