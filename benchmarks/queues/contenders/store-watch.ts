/** For queues that do not say when a job is completed in the store: the store is asked, while there is nothing else to do. */
import { nowMs } from '../clock.ts'
import type { Working } from './contender.ts'

/** Between two questions once the last handler of this worker has run. */
const LOOK_MS = 2
/** No handler has run for so long: the queue is empty, or others have the rest. */
const QUIET_MS = 10

export interface StoreWatch extends Pick<Working, 'drained'> {
  /** To be called for every job, as its handler runs. */
  ran(): void
}

/** `anyLeft`: whether the store has a job that is not completed. */
export function watchStore(anyLeft: () => Promise<boolean>): StoreWatch {
  let ran = 0
  let ranAt = nowMs()
  let expected = Number.POSITIVE_INFINITY
  const all = Promise.withResolvers<void>()
  return {
    ran() {
      ran += 1
      ranAt = nowMs()
      if (ran >= expected) all.resolve()
    },
    async drained(jobs) {
      if (jobs === null) return emptyAt(anyLeft, () => quiet(() => ranAt))
      expected = jobs
      if (ran < jobs) await all.promise
      return emptyAt(anyLeft, () => pause(LOOK_MS))
    },
  }
}

/** The instant of the question, not of the answer: dead rows make it a long one. */
async function emptyAt(anyLeft: () => Promise<boolean>, wait: () => Promise<void>): Promise<number> {
  for (;;) {
    await wait()
    const askedAt = nowMs()
    if (!(await anyLeft())) return askedAt
  }
}

async function quiet(lastAt: () => number): Promise<void> {
  do await pause(QUIET_MS)
  while (nowMs() - lastAt() < QUIET_MS)
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
