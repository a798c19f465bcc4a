/** A module that threads never come to the end of loading. */
import { isMainThread } from 'node:worker_threads'

import { defineJob, handle } from '../../../src/index.ts'
import type { Handler } from '../../../src/index.ts'
import { take } from '../../support/wait-for-event.ts'

const endless = defineJob('mule.endless', { service: 'stable' })

export const endlessHandler: Handler = handle(endless, { module: import.meta.url, isolation: 'thread' }).phase(
  'run',
  () => null,
)

if (!isMainThread) {
  process.stdout.write('loading\n')
  await take(3_600_000)
}
