import { openModelStore } from './model-store.ts'
import { countedIds } from './store-under-test.ts'
import type { StoreUnderTest } from './store-under-test.ts'

/** The in-memory model as a store under test. */
export async function openModel(): Promise<StoreUnderTest> {
  const model = openModelStore()
  const { store } = model
  return { store, runtime: countedIds(), advance: (ms) => model.advance(ms), close: () => store.close() }
}
