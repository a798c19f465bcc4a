/** Opens real stores for the contract: on a virtual clock, which the stores over the same jobs share, and with a logger that refuses. */
import type { Logger } from '../../src/runtime/logger.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import type { Store } from '../../src/store/store.ts'
import { MODEL_EPOCH } from './model-state.ts'
import { countedIds } from './store-under-test.ts'
import type { StoreUnderTest } from './store-under-test.ts'

/** What is logged is a fault here: no contract test is about a broken store. */
const LOGGER: Logger = {
  info: () => undefined,
  warn: refuse,
  error: refuse,
}

function refuse(message: string): never {
  throw new Error(`the store logged: ${message}`)
}

interface Surroundings {
  readonly runtime: Runtime
  readonly logger: Logger
  /** One BigInt64 of epoch milliseconds. */
  readonly clock: SharedArrayBuffer
}

type OpenIn = (surroundings: Surroundings) => Promise<Store>

/** A store that keeps nothing, and beside which there is no other. */
export function openFleeting(open: OpenIn): Promise<StoreUnderTest> {
  return opener(open)()
}

/** A store that others may be opened beside, and that is opened again as it was. `remove` clears away what it has kept. */
export function openLasting(open: OpenIn, remove: () => Promise<void>): Promise<StoreUnderTest> {
  const openOne = opener(open)
  const openFirst = async (): Promise<StoreUnderTest> => {
    const opened = await openOne()
    return {
      ...opened,
      another: openOne,
      async close() {
        await opened.close()
        await remove()
      },
      async reopen() {
        await opened.close()
        return openFirst()
      },
    }
  }
  return openFirst()
}

function opener(open: OpenIn): () => Promise<StoreUnderTest> {
  const clock = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT)
  const now = new BigInt64Array(clock)
  now[0] = BigInt(MODEL_EPOCH)
  const ids = countedIds()
  return async () => {
    const store = await open({ runtime: systemRuntime(), logger: LOGGER, clock })
    return {
      store,
      runtime: ids,
      advance(ms) {
        Atomics.add(now, 0, BigInt(ms))
      },
      close: () => store.close(),
    }
  }
}
