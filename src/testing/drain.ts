import type { Handler } from '../worker/handler.ts'
import { emptyTally } from '../worker/worker-report.ts'
import type { WorkerReport } from '../worker/worker-report.ts'
import { add, Crew } from './crew.ts'
import { failure } from './failure.ts'
import type { TestClock } from './test-clock.ts'
import type { Surroundings } from './test-process.ts'

export interface DrainOptions {
  /** Move the clock on to jobs that wait for their time, or for their next try, until none waits. Default false. */
  readonly withScheduled?: boolean
  /** How many jobs run at a time. Default 1: one after another, in the same order each time. */
  readonly concurrency?: number
  /** So many attempts are enough to believe that there is no end of them. Default 10,000. */
  readonly atMost?: number
}

export interface DrainReport extends WorkerReport {
  /** How far the clock was moved on. */
  readonly movedMs: number
}

const AT_MOST = 10_000

export async function drain(
  surroundings: Surroundings,
  clock: TestClock,
  handlers: readonly Handler[],
  { withScheduled = false, concurrency = 1, atMost = AT_MOST }: DrainOptions,
): Promise<DrainReport> {
  const sum = emptyTally()
  let movedMs = 0
  const crew = await Crew.open(surroundings, handlers, concurrency)
  try {
    for (;;) {
      const report = await crew.runOnce()
      add(sum, report)
      if (sum.claimed > atMost) throw endless(sum, atMost)
      if (report.claimed > 0) continue
      const dueInMs = withScheduled ? crew.nextDueInMs : null
      if (dueInMs === null) return { ...sum, movedMs }
      movedMs += dueInMs
      await clock.advance(dueInMs)
    }
  } finally {
    await crew.close()
  }
}

function endless(sum: WorkerReport, atMost: number): Error {
  return failure(
    [
      `drain has begun more than ${atMost} attempts, and there is no end of them: does a job enqueue itself again?`,
      'Say how many there may be by the option atMost.',
    ],
    { operator: 'drain', actual: sum.claimed, expected: atMost },
  )
}
