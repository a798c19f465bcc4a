/**
 * Millrace, through its public door only.
 *
 * - Durability is its default in both settings: synchronous FULL, every commit is on the disk before anyone hears of it. Nothing is deleted:
 *   every job, phase and event is kept.
 * - best: as many slots as it takes for claims and completions to share commits. Handlers here do nothing, so a slot costs nothing.
 * - defaults: 10 slots.
 */
import { defineJob, handle, openMillrace } from '../built-package.ts'
import type { Handler, JobDefinition, Millrace } from '../built-package.ts'
import { nowMs } from '../clock.ts'
import type { Contender, JobInput, Load, Queue, Settings } from './contender.ts'
import { inSqliteFile } from './sqlite-file.ts'

const BEST_CONCURRENCY = 2_000
export const SERVICE = 'bench'

export const plainJob = defineJob('bench.plain', { service: SERVICE })
const PHASES = ['one', 'two', 'three', 'four'] as const
export const phasesJob = defineJob('bench.phases', { service: SERVICE, phases: PHASES })

export function millrace(settings: Settings): Contender {
  return {
    ...inSqliteFile,
    name: 'millrace',
    label: 'Millrace',
    settings,
    durable: true,
    durability: 'nothing (SQLite, synchronous FULL)',
    open: async ({ address }, load) => millraceQueue(await openMillrace(`sqlite:${address}`), settings, load),
  }
}

export function millraceQueue(mill: Millrace, settings: Settings, load: Load): Queue {
  const definition: JobDefinition = load === 'plain' ? plainJob : phasesJob
  return {
    enqueue: async (input) => void (await mill.enqueue(definition, input)),
    enqueueMany: async (inputs) => void (await mill.enqueueMany(inputs.map((input) => ({ definition, input })))),
    async work(onJob) {
      const worker = await mill.work([handlerOf(load, onJob)], workOptions(settings))
      return {
        async drained() {
          await worker.idle()
          return nowMs()
        },
        stop: () => worker.stop(),
      }
    },
    async counts() {
      const { completed, ...others } = await mill.counts({ type: definition })
      return { completed, waiting: Object.values(others).reduce((sum, count) => sum + count, 0) }
    },
    close: () => mill.close(),
  }
}

export function workOptions(settings: Settings): { concurrency?: number } {
  return settings === 'best' ? { concurrency: BEST_CONCURRENCY } : {}
}

function handlerOf(load: Load, onJob: (input: JobInput) => void): Handler {
  // Without a schema an input is what was enqueued: here, only ever a JobInput.
  const run = ({ input }: { readonly input: unknown }): void => onJob(input as JobInput)
  if (load === 'plain') return handle(plainJob, run)
  return handle(phasesJob)
    .phase('one', () => 1)
    .phase('two', () => 2)
    .phase('three', () => 3)
    .phase('four', run)
}
