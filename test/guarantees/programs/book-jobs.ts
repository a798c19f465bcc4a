/** A book in three phases, of which one can be told to hold. */
import { defineJob, handle } from '../../../src/index.ts'
import type { Handler, Json } from '../../../src/index.ts'

export const book = defineJob('book.read', { service: 'library', phases: ['fetch', 'parse', 'index'] })

export interface Reading {
  /** Called when a phase begins. */
  readonly onEnter: (facts: { readonly phase: string; readonly attempt: number; readonly results: Json }) => void
  /** In the middle of the phase `parse`, after its progress was told. */
  readonly inTheMiddle: (signal: AbortSignal, input: unknown) => Promise<void>
}

export function bookHandler({ onEnter, inTheMiddle }: Reading): Handler {
  return handle(book)
    .phase('fetch', ({ phase, attempt, results }) => {
      onEnter({ phase, attempt, results: { ...results } })
      return { pages: 3, by: process.pid }
    })
    .phase('parse', async ({ phase, attempt, input, results, progress, signal }) => {
      onEnter({ phase, attempt, results: { ...results } })
      progress(50, { page: 2 })
      await inTheMiddle(signal, input)
      return { words: results.fetch.pages * 300, by: process.pid }
    })
    .phase('index', ({ phase, attempt, results }) => {
      onEnter({ phase, attempt, results: { ...results } })
      return { entries: results.parse.words / 10, by: process.pid }
    })
}
