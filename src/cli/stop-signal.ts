import { onStopSignal } from '../index.ts'
import type { StopSignal } from '../index.ts'
import type { Screen } from './screen.ts'

/** Resolves on the first Ctrl-C or SIGTERM, so that what runs can be brought to an end. A second one ends the process at once. */
export function stopSignal(screen: Screen): Promise<StopSignal> {
  const { promise, resolve } = Promise.withResolvers<StopSignal>()
  onStopSignal((signal) => {
    screen.note(`${signal}: no more jobs are taken, those that run may end. Once more ends at once.`)
    resolve(signal)
  })
  return promise
}
