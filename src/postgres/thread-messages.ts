import type { LineEnd } from '../runtime/sync-line.ts'

export interface ThreadData {
  readonly url: string
  readonly schema: string
  readonly prepared: boolean
  readonly answerWithinMs: number
  readonly line: LineEnd
  /** Whether the main thread's event loop turns. */
  readonly pulse: SharedArrayBuffer
}

export type ToThread =
  | { readonly kind: 'keep'; readonly holder: number; readonly everyMs: number }
  | { readonly kind: 'drop'; readonly holder: number }

/** The session was ended by somebody else. */
export interface FromThread {
  readonly holder: number
}
