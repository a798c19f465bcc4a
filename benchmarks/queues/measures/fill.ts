import type { Channel } from '../channel.ts'
import type { JobInput, Load, Queue } from '../contenders/contender.ts'
import type { Bench, MainBench } from './measure.ts'

const BULK = 1_000

export function inputsFrom(first: number, count: number): JobInput[] {
  return Array.from({ length: count }, (_, index) => ({ index: first + index }))
}

/** The part that puts `count` jobs into the store, so that the process that is measured comes to it fresh. */
export function fillWith(load: Load): (bench: Bench, channel: Channel) => Promise<void> {
  return async (bench, channel) => {
    const queue = await bench.open(load)
    await fillQueue(queue, bench.count)
    await queue.close()
    channel.tell('filled')
  }
}

export async function fillQueue(queue: Queue, count: number): Promise<void> {
  for (let first = 0; first < count; first += BULK) {
    await queue.enqueueMany(inputsFrom(first, Math.min(BULK, count - first)))
  }
}

export async function fillElsewhere(bench: MainBench): Promise<void> {
  const part = bench.part('fill')
  await part.hear('filled')
  await part.ended()
}

/** The store counts what it should, or the run is void. */
export async function checkCounts(queue: Queue, expected: { waiting: number; completed: number }): Promise<void> {
  const { waiting, completed } = await queue.counts()
  if (waiting === expected.waiting && (completed ?? expected.completed) === expected.completed) return
  throw new Error(`the store has ${waiting} waiting and ${completed} completed jobs, not ${JSON.stringify(expected)}`)
}

/** Each job ran exactly once, or the run is void. */
export function checkOnce(seen: Uint8Array): void {
  const odd = seen.findIndex((times) => times !== 1)
  if (odd >= 0) throw new Error(`job ${odd} of ${seen.length} ran ${seen[odd]} times`)
}
