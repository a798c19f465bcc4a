/** Workers that have seen their type run so often that they take its jobs ahead of their slots. */
import { defineJob } from '../../src/client/define-job.ts'
import type { JobDefinition } from '../../src/core/definition.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { handle } from '../../src/worker/handler.ts'
import type { ContextOf } from '../../src/worker/handler.ts'
import type { StartWorkerOptions } from '../../src/worker/start-worker.ts'
import type { Worker } from '../../src/worker/worker.ts'
import type { Workplace } from './open-workplace.ts'

export const quick = defineJob('quick', { service: 'tests', cancelGrace: '1s' })

type Run = (context: ContextOf<typeof quick>) => unknown

interface Known extends Partial<StartWorkerOptions> {
  /** Instead of `quick`. */
  readonly definition?: JobDefinition
  /** Of the jobs that it sees first; they end at once. */
  readonly fastInput?: unknown
}

/** A worker that has run ten jobs of its type, which took no time. All that come now are worked on by `run`. */
export async function startKnown(place: Workplace, run: Run, options: Known = {}): Promise<Worker> {
  const { definition = quick, fastInput = 'fast', ...rest } = options
  let seen = 0
  const worker = await place.start(
    [
      handle(definition, (context) => {
        seen += 1
        return seen <= 10 ? null : (run(context) as null)
      }),
    ],
    rest,
  )
  for (let runs = 0; runs < 10; runs += 1) await place.enqueue(definition, fastInput)
  await worker.idle()
  return worker
}

interface Quick {
  readonly worker: Worker
  /** Inputs of the jobs that began and that a gate holds, in their order. */
  readonly began: string[]
  /** Lets the handler that has waited the longest end. */
  readonly open: () => void
  /** The most that ran at a time. */
  readonly most: () => number
}

/** The same with handlers that wait for a gate. */
export async function startQuick(
  place: Workplace,
  concurrency: number,
  options: Partial<StartWorkerOptions> = {},
): Promise<Quick> {
  const began: string[] = []
  const gates: (() => void)[] = []
  let running = 0
  let most = 0
  const run: Run = async ({ input }) => {
    running += 1
    most = Math.max(most, running)
    began.push(String(input))
    const { promise, resolve } = Promise.withResolvers<void>()
    gates.push(resolve)
    await promise
    running -= 1
  }
  const worker = await startKnown(place, run, { concurrency, drain: '10s', ...options })
  return { worker, began, open: () => gates.shift()?.(), most: () => most }
}

/** Adds jobs of which the worker learns together, by their priorities. */
export function enqueueTogether(place: Workplace, priorities: readonly number[]): Promise<readonly string[]> {
  return holdingClaims(place, async () => {
    const ids: string[] = []
    for (const [index, priority] of priorities.entries()) {
      ids.push(await place.enqueue(quick, `${priority}.${index}`, { priority }))
    }
    return ids
  })
}

/** The same, by their inputs. */
export function enqueueInputs(
  place: Workplace,
  inputs: readonly unknown[],
  definition: JobDefinition = quick,
): Promise<readonly string[]> {
  return holdingClaims(place, async () => {
    const ids: string[] = []
    for (const input of inputs) ids.push(await place.enqueue(definition, input))
    return ids
  })
}

async function holdingClaims<Result>(place: Workplace, work: () => Promise<Result>): Promise<Result> {
  const gate = Promise.withResolvers<undefined>()
  place.faults.claim = () => gate.promise
  const result = await work()
  delete place.faults.claim
  gate.resolve(undefined)
  await place.runtime.advance(0)
  return result
}

export async function runningInStore({ store }: Workplace): Promise<number> {
  return (await store.jobs.counts({ scope: OPERATOR })).running
}
