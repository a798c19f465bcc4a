import { GROUPS } from '../contenders/find-contender.ts'
import { fillWith } from './fill.ts'
import { partOfDrain } from './job-by-job.ts'
import { againstFirst, entriesOf, JOBS_PER_SECOND } from './measure.ts'
import type { Measure } from './measure.ts'
import { thousands } from '../report-text.ts'
import { workOff } from './work-off.ts'

export const drain: Measure = {
  name: 'drain',
  title: 'Drain, one process',
  about: (count) =>
    `${thousands(count)} waiting jobs that do nothing are worked off by one process, from the start of its worker until the last one is completed in the store.`,
  entries: entriesOf(['millrace', 'raw', 'plainjob', 'plainjob-full', 'bullmq', 'bullmq-always', ...GROUPS.PostgreSQL]),
  base: againstFirst,
  figures: [JOBS_PER_SECOND],
  count: { full: 100_000, quick: 20_000, tiny: 200 },
  share: partOfDrain,
  parts: { fill: fillWith('plain') },
  run: (bench) => workOff(bench, 'plain'),
}
