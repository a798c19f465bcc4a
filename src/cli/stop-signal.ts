import { constants } from 'node:os'

import type { Screen } from './screen.ts'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

type Signal = (typeof SIGNALS)[number]

/** What a shell reports of a process that a signal ended. */
const EXIT_BASE = 128

/**
 * Resolves on the first Ctrl-C or SIGTERM, so that what runs can be brought to an end. A second one ends the process at once, with the exit
 * code that a shell knows for it.
 */
export function stopSignal(screen: Screen): Promise<Signal> {
  const { promise, resolve } = Promise.withResolvers<Signal>()
  let stopping = false
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (stopping) process.exit(EXIT_BASE + constants.signals[signal])
      stopping = true
      screen.note(`${signal}: no more jobs are taken, those that run may end. Once more ends at once.`)
      resolve(signal)
    })
  }
  return promise
}
