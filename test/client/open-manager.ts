/** A manager of jobs on a store in memory, whose clock the test moves. */
import type { TestContext } from 'node:test'

import type { ManagerOptions } from '../../src/client/by-hand.ts'
import { ClientContext } from '../../src/client/client-context.ts'
import { JobManager } from '../../src/client/job-manager.ts'
import { JobStateManager } from '../../src/client/job-state-manager.ts'
import { OperatorClient } from '../../src/client/operator-client.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import type { Store } from '../../src/store/store.ts'
import { openModelStore } from '../support/model-store.ts'

export interface ManagerBench {
  readonly mill: OperatorClient
  readonly store: Store
  readonly jobs: JobManager
  readonly states: JobStateManager
  /** Another one beside it. */
  readonly another: (options?: ManagerOptions) => JobManager
  /** Moves the store's clock and the runtime's. */
  readonly advance: (ms: number) => Promise<void>
}

export function openManager(context: TestContext, service: string | null = 'bakery'): ManagerBench {
  const model = openModelStore()
  const { store } = model
  const runtime = virtualRuntime()
  const clientContext = new ClientContext(store, runtime, {
    recover: () => store.claims.sweep({ graceMs: 0, random: 0 }),
    service,
  })
  context.after(() => clientContext.close())
  const mill = new OperatorClient(clientContext)
  return {
    mill,
    store,
    jobs: new JobManager(mill, { actor: 'ann' }),
    states: new JobStateManager(mill, { actor: 'ann' }),
    another: (options = { actor: 'bob' }) => new JobManager(mill, options),
    advance: async (ms) => {
      model.advance(ms)
      await runtime.advance(ms)
    },
  }
}
