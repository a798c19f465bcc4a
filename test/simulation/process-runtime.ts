import type { Runtime } from '../../src/runtime/runtime.ts'
import { uuidV7Maker } from '../../src/runtime/uuid-v7.ts'
import { MODEL_EPOCH } from '../support/model-state.ts'
import type { Entry, Owner, Schedule } from './schedule.ts'
import type { SeededChoice } from './seeded-choice.ts'

export interface ProcessRuntimeOptions {
  readonly schedule: Schedule
  /** Timers fire while it is going. */
  readonly owner: Owner
  readonly choice: SeededChoice
  /** How far the clock of its machine is ahead of the world's, milliseconds. */
  readonly aheadMs: () => number
}

export interface ProcessRuntime extends Runtime {
  /** How many timers wait. */
  readonly waiting: () => number
}

/** Clock, timers and randomness of one life of a simulated process. */
export function processRuntime({ schedule, owner, choice, aheadMs }: ProcessRuntimeOptions): ProcessRuntime {
  const timers = new Set<Entry>()
  const now = (): number => MODEL_EPOCH + schedule.now + aheadMs()
  const randomBelow = (bound: number): number => choice.between(0, bound - 1)
  return {
    now,
    monotonic: () => schedule.now,
    after: (ms, callback) => {
      const fire = (): void => {
        timers.delete(entry)
        callback()
      }
      const entry = schedule.add(schedule.now + Math.max(0, Math.ceil(ms)), fire, owner)
      timers.add(entry)
      return {
        cancel: () => {
          timers.delete(entry)
          entry.cancelled = true
        },
      }
    },
    random: () => choice.fraction(),
    uuid: uuidV7Maker({ now, randomBelow }),
    key: () => randomBelow(2 ** 20) * 2 ** 32 + randomBelow(2 ** 32),
    waiting: () => timers.size,
  }
}
