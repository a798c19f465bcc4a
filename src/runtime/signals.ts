/** SIGINT and SIGTERM as a command line wants them. */
import { constants } from 'node:os'

export type StopSignal = 'SIGINT' | 'SIGTERM'

const STOP_SIGNALS: readonly StopSignal[] = ['SIGINT', 'SIGTERM']
/** What a shell reports for a process that a signal ended: 128 and the signal's number. */
const SIGNAL_EXIT_BASE = 128

/**
 * Calls back on the first SIGINT or SIGTERM, so that work can be brought to an end; the second one ends the process at once, with the exit
 * code that a shell knows for that signal.
 *
 * @returns the way out: signals then do what they did before
 */
export function onStopSignal(callback: (signal: StopSignal) => void): () => void {
  let stopping = false
  const listener = (signal: StopSignal): void => {
    if (stopping) process.exit(SIGNAL_EXIT_BASE + constants.signals[signal])
    stopping = true
    callback(signal)
  }
  for (const signal of STOP_SIGNALS) process.on(signal, listener)
  return () => {
    for (const signal of STOP_SIGNALS) process.off(signal, listener)
  }
}
