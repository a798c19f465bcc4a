import { openModelStore } from './model-store.ts'
import type { Defect } from './model-state.ts'
import type { ModelStore } from './model-store.ts'
import { countedIds } from './store-under-test.ts'
import type { StoreUnderTest } from './store-under-test.ts'

/** The in-memory model as a store under test. */
export async function openModel(): Promise<StoreUnderTest> {
  return underTest(openModelStore(), countedIds())
}

/** The model with a fault in it. */
export async function openBrokenModel(planted: Defect): Promise<StoreUnderTest> {
  return underTest(openModelStore(planted), countedIds())
}

function underTest(model: ModelStore, runtime: StoreUnderTest['runtime']): StoreUnderTest {
  const { store } = model
  return {
    store,
    runtime,
    advance: (ms) => model.advance(ms),
    close: () => store.close(),
    another: async () => underTest(model.another(), runtime),
  }
}
