/** What happened to a job, read from the log as an application reads it. */
import assert from 'node:assert/strict'

import { FINAL_STATES } from '../../src/index.ts'
import type { Job, JobClient, JobEvent } from '../../src/index.ts'

type Reader = Pick<JobClient, 'events'>

const PAGE = 500

/** Every event of a job, or of all jobs, oldest first. */
export async function readLog(mill: Reader, job?: { readonly id: string }): Promise<readonly JobEvent[]> {
  const events: JobEvent[] = []
  for (;;) {
    const after = events.at(-1)?.position ?? 0
    const page = await mill.events({ after, limit: PAGE, ...(job === undefined ? {} : { job: job.id }) })
    events.push(...page)
    if (page.length < PAGE) return events
  }
}

/** The events of a job, whose sequence has no gap. */
export async function eventsOf(mill: Reader, job: { readonly id: string }): Promise<readonly JobEvent[]> {
  const events = await readLog(mill, job)
  assertDense(events)
  return events
}

export async function eventNames(mill: Reader, job: { readonly id: string }): Promise<readonly string[]> {
  return (await eventsOf(mill, job)).map(({ name }) => name)
}

/** The sequence of one job's events counts from 1 without a gap. */
export function assertDense(events: readonly JobEvent[]): void {
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_event, index) => index + 1),
    `events of job ${events[0]?.jobId} have a gap`,
  )
}

const FINAL_NAMES: ReadonlySet<string> = new Set(FINAL_STATES.map((state) => `job:${state}`))

/** The events that close a generation. */
export function finalEvents(events: readonly JobEvent[]): readonly JobEvent[] {
  return events.filter(({ name }) => FINAL_NAMES.has(name))
}

/** The job but for when the code of its attempts came to rest. */
export function withoutStops({ attempts, ...job }: Job): object {
  return { ...job, attempts: attempts.map(({ stoppedAt: _at, stoppedBy: _by, ...attempt }) => attempt) }
}
