/** A great many jobs in a Millrace's SQLite file, as they come about: enqueued in bulks, and worked off where they are to be finished. */
import { defineJob, handle, openMillrace } from '../built-package.ts'
import { plainJob, SERVICE } from './millrace.ts'
import type { BacklogKind, Place } from './contender.ts'

/** The input of its jobs: no job of a run has that number. */
const BACKLOG_INPUT = { index: -1 }
const LESS_URGENT = 100
const BULK = 1_000
const CONCURRENCY = 2_000
const otherJob = defineJob('bench.other', { service: SERVICE })

export async function addBacklog(place: Place, kind: BacklogKind, count: number): Promise<void> {
  const mill = await openMillrace(`sqlite:${place.address}`)
  const definition = kind === 'other' ? otherJob : plainJob
  const priority = kind === 'behind' ? LESS_URGENT : 0
  for (let left = count; left > 0; left -= BULK) {
    const jobs = Array.from({ length: Math.min(left, BULK) }, () => ({ definition, input: BACKLOG_INPUT, priority }))
    await mill.enqueueMany(jobs)
  }
  if (kind === 'finished') {
    const worker = await mill.work([handle(plainJob, () => undefined)], { concurrency: CONCURRENCY })
    await worker.idle()
  }
  await mill.close()
}
