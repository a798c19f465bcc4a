/** What a suite of the store contract is handed: some store, opened for one test, and its clock. */
import type { Runtime } from '../../src/runtime/runtime.ts'
import type { Store } from '../../src/store/store.ts'

export interface StoreUnderTest {
  readonly store: Store
  /** Ids and keys; the store's clock is `advance`'s. */
  readonly runtime: Pick<Runtime, 'uuid' | 'key'>
  /** Moves the store's clock by so many milliseconds. Nothing else moves it. */
  advance(ms: number): void
  close(): Promise<void>
  /** Another store over the same jobs, as another process would open one; absent where there can be but one. Closed before this one. */
  another?(): Promise<StoreUnderTest>
  /** Closes the store and opens it again on what it has kept; absent where nothing is kept. */
  reopen?(): Promise<StoreUnderTest>
}

export type OpenStore = () => Promise<StoreUnderTest>

/** Ids and keys that are the same in every run: two stores that are handed the same calls are handed the same ids. */
export function countedIds(): Pick<Runtime, 'uuid' | 'key'> {
  let made = 0
  let keys = 0
  return {
    uuid: () => {
      made += 1
      const digits = made.toString(16).padStart(12, '0')
      return `019b7613-6800-7000-8000-${digits}`
    },
    key: () => {
      keys += 1
      return 2 ** 51 + keys
    },
  }
}
