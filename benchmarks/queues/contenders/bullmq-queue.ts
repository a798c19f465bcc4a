/** What BullMQ is asked to do, wherever it keeps its jobs. */
import type { Queue as BullQueue, Worker } from 'bullmq'
import { nowMs } from '../clock.ts'
import type { JobInput, Queue, Working } from './contender.ts'

const LOOK_MS = 50

type AnyQueue = Pick<
  BullQueue<JobInput>,
  'waitUntilReady' | 'add' | 'addBulk' | 'getJobCounts' | 'getJobCountByTypes' | 'close'
>
interface AnyWorker extends Pick<Worker<JobInput>, 'close'> {
  on(event: 'completed', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}

export interface BullParts {
  readonly queue: AnyQueue
  readonly startWorker: (onJob: (input: JobInput) => void) => AnyWorker
}

export async function openBullQueue({ queue, startWorker }: BullParts): Promise<Queue> {
  await queue.waitUntilReady()
  return {
    enqueue: async (input) => void (await queue.add('job', input)),
    enqueueMany: async (inputs) => void (await queue.addBulk(inputs.map((data) => ({ name: 'job', data })))),
    work: async (onJob) => watch(queue, startWorker(onJob)),
    async counts() {
      const { completed = 0, ...others } = await queue.getJobCounts()
      return { completed, waiting: Object.values(others).reduce((sum, count) => sum + count, 0) }
    },
    close: () => queue.close(),
  }
}

/** The worker tells of a job once the store has it as completed. */
function watch(queue: AnyQueue, worker: AnyWorker): Working {
  let completed = 0
  let completedAt = nowMs()
  let expected = Number.POSITIVE_INFINITY
  const all = Promise.withResolvers<void>()
  worker.on('completed', () => {
    completed += 1
    completedAt = nowMs()
    if (completed >= expected) all.resolve()
  })
  worker.on('error', (error) => all.reject(error))
  return {
    async drained(jobs) {
      if (jobs === null) await noneLeft(queue)
      else {
        expected = jobs
        if (completed < jobs) await all.promise
      }
      return completedAt
    },
    stop: () => worker.close(),
  }
}

async function noneLeft(queue: AnyQueue): Promise<void> {
  while ((await queue.getJobCountByTypes('waiting', 'active')) > 0) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}
