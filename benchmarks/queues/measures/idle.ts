import { watchLoop } from '../clock.ts'
import { againstFirst, entriesOf } from './measure.ts'
import type { Measure } from './measure.ts'
import { pause } from './pauses.ts'

/** It has no table of its own: the loads are compared with it. */
export const idle: Measure = {
  name: 'idle',
  title: 'Event loop of an idle process',
  about: () => 'A process that does nothing: what the clock of the event loop itself shows.',
  entries: entriesOf(['millrace'], ['best']),
  base: againstFirst,
  figures: [],
  // Milliseconds.
  count: { full: 2_000, quick: 1_000, tiny: 50 },
  async run(bench) {
    const loopDelayP99Ms = watchLoop()
    await pause(bench.count)
    return { loopDelayP99Ms: loopDelayP99Ms() }
  },
}
