/** A job that only says who ran it and when, for processes that work on one file together. */
import { defineJob } from '../../../src/index.ts'
import type { Millrace } from '../../../src/index.ts'

export const greet = defineJob('guest.greet', { service: 'door' })

/** A type, so that it counts as JSON. */
export type Greeting = { readonly pid: number; readonly at: number }

/** Enqueues one by one, so many at a time, as requests of a server do. */
export async function enqueueMany(mill: Millrace, count: number): Promise<readonly string[]> {
  const ids: string[] = []
  let left = count
  const caller = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      const { job } = await mill.enqueue(greet, { number: left })
      ids.push(job.id)
    }
  }
  await Promise.all(Array.from({ length: 10 }, () => caller()))
  return ids
}
