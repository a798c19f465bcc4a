/** Calls back when this process, or the thread that asks, is about to exit by itself. Nothing that takes a turn of the event loop happens then. */
export function atExit(callback: () => void): void {
  process.once('exit', callback)
}
