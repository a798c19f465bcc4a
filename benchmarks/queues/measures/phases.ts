import { fillWith } from './fill.ts'
import { againstFirst, entriesOf, JOBS_PER_SECOND } from './measure.ts'
import type { Measure } from './measure.ts'
import { thousands } from '../report-text.ts'
import { workOff } from './work-off.ts'

/** The other queues have no phases, so there is nothing of theirs to put beside it. */
export const phases: Measure = {
  name: 'phases',
  title: 'Drain, jobs of four phases',
  about: (count) =>
    `The same with ${thousands(count)} jobs of four phases: three more checkpoints a job, each committed before the next phase begins.`,
  entries: entriesOf(['millrace', 'raw', 'millrace-postgres']),
  base: againstFirst,
  figures: [JOBS_PER_SECOND],
  count: { full: 20_000, quick: 5_000, tiny: 100 },
  parts: { fill: fillWith('phases') },
  run: (bench) => workOff(bench, 'phases'),
}
