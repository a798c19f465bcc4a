import type { Logger } from '../runtime/logger.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { Store } from '../store/store.ts'
import type { ClaimAhead } from './claim-ahead.ts'
import type { Handler } from './handler.ts'
import type { Cells } from './isolation/cells.ts'
import type { TurnBudget } from './turn-budget.ts'

/** What the attempts of a worker need of it. */
export interface AttemptsOptions {
  readonly store: Store
  readonly runtime: Runtime
  readonly logger: Logger
  readonly turns: TurnBudget
  readonly handlers: ReadonlyMap<string, Handler>
  /** Runs it in the asynchronous context of the worker. */
  readonly within: <T>(run: () => T) => T
  /** Where handlers run that are not inline; null: there are none. */
  readonly cells: Cells | null
  /** How many run at a time. */
  readonly concurrency: number
  /** Told what is taken, and how long each job kept its slot. */
  readonly ahead: ClaimAhead
  /** Whether the session of that key is the worker's present one. */
  readonly holds: (holder: number) => boolean
  /** A slot has become free, or results have stopped waiting for the store. */
  readonly onSlotFree: () => void
  /** Nothing runs, and everything that ended is in the store. */
  readonly onRest: () => void
  /** A handler has been left to itself: it can't be ended. */
  readonly onAbandoned: (abandoned: number) => void
}
