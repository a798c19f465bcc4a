/** Whether this thread, or process, was started to run handlers alone. Known by a global name: a handler's module may bring a Millrace of its own. */
const MARK = Symbol.for('millrace.isolated')

export function markIsolated(): void {
  Reflect.set(globalThis, MARK, true)
}

export function isIsolated(): boolean {
  return Reflect.get(globalThis, MARK) === true
}
