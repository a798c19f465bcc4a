/** A process of a test: a Millrace of its own, on a store that it shares with the others. */
import { DEFAULT_RETENTION } from '../core/retention.ts'
import { Millrace } from '../open-millrace.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type { VirtualRuntime } from '../runtime/virtual-runtime.ts'
import type { Store } from '../store/store.ts'
import type { Flow } from './flow.ts'
import { StoreView } from './store-view.ts'
import type { Gates } from './store-view.ts'

/** What all of them share. */
export interface Surroundings {
  readonly store: Store
  readonly flow: Flow
  readonly runtime: VirtualRuntime
  readonly logger: Logger
}

export class TestProcess {
  readonly view: StoreView
  readonly mill: Millrace
  readonly #runtime: VirtualRuntime
  readonly #flow: Flow

  constructor({ store, flow, runtime, logger }: Surroundings, service: string | null, gates?: Gates) {
    this.#runtime = runtime
    this.#flow = flow
    this.view = new StoreView(store, flow, gates)
    const parts = {
      store: this.view.store,
      runtime: this.#mortal(runtime),
      logger,
      service,
      version: null,
      maintenance: false,
      retention: DEFAULT_RETENTION,
    }
    this.mill = new Millrace(parts)
  }

  /** A dead process is not closed: nothing in it would come to an end. */
  async close(): Promise<void> {
    if (!this.view.dead) await this.mill.close()
  }

  /** Closes it whatever still runs in it: that is given the time of its drain, which nobody else moves on, and is no fault of the closing. */
  async end(): Promise<void> {
    const end = { reached: false }
    const closing = this.close()
      .catch(() => undefined)
      .then(() => (end.reached = true))
    for (await this.#flow.settle(); !end.reached; await this.#flow.settle()) {
      await this.#runtime.advance(CLOSING_STEP_MS)
    }
    await closing
  }

  /** A clock whose timers end with the process. */
  #mortal(runtime: Runtime): Runtime {
    return {
      now: () => runtime.now(),
      monotonic: () => runtime.monotonic(),
      after: (ms, callback, options) => runtime.after(ms, () => (this.view.dead ? undefined : callback()), options),
      random: () => runtime.random(),
      uuid: () => runtime.uuid(),
      key: () => runtime.key(),
    }
  }
}

const CLOSING_STEP_MS = 1_000
