/**
 * What the worker and the thread or process that runs a handler tell each other. The worker orders one phase at a time; the other side knows
 * no store, so whatever is to be written comes here as a message.
 */
import type { Verdict } from '../../core/classification.ts'
import type { Duration } from '../../core/duration.ts'
import type { Json } from '../../core/json.ts'
import type { ArtifactOptions, HandlerContext, WrittenArtifact } from '../handler-context.ts'
import type { Line } from '../job-log.ts'
import type { PackedError } from './packed-error.ts'

/** What a handler knows of its job. */
export type JobFacts = Pick<
  HandlerContext,
  'jobId' | 'type' | 'tenant' | 'owner' | 'labels' | 'attempt' | 'generation' | 'phase' | 'fence'
>

/** One phase to run. */
export interface Order {
  readonly facts: JobFacts
  /** JSON text; `INPUT_LOST`: there is none in the store any more. */
  readonly input: string
  /** Names and results of the phases that are done, as JSON text. */
  readonly results: readonly (readonly [phase: string, text: string])[]
  /** Its result is the job's output. */
  readonly isLast: boolean
}

/** `run` counts the orders of one thread or process: what belongs to an earlier one is passed over. */
export type ToHandler =
  | { readonly kind: 'run'; readonly run: number; readonly order: Order }
  | { readonly kind: 'stop'; readonly run: number; readonly error: PackedError }
  /** A line of the log has arrived. */
  | { readonly kind: 'taken'; readonly run: number }
  /** The next bytes of an artifact are wanted. */
  | { readonly kind: 'more'; readonly run: number; readonly asked: number }
  | { readonly kind: 'answer'; readonly run: number; readonly asked: number; readonly outcome: Outcome }

export type Outcome = { readonly artifact: WrittenArtifact | null } | { readonly error: PackedError }

export type FromHandler =
  /** The types whose handlers the module has. */
  | { readonly kind: 'ready'; readonly types: readonly string[] }
  | { readonly kind: 'unloadable'; readonly error: PackedError }
  | FromRun

export type FromRun =
  | { readonly kind: 'result'; readonly run: number; readonly result: string }
  | { readonly kind: 'failed'; readonly run: number; readonly error: PackedError; readonly verdict: Verdict }
  | { readonly kind: 'progress'; readonly run: number; readonly percent: number; readonly context: Json | undefined }
  | { readonly kind: 'log'; readonly run: number; readonly line: Line }
  | { readonly kind: 'lines-dropped'; readonly run: number }
  | { readonly kind: 'extend'; readonly run: number; readonly asked: number; readonly duration: Duration }
  | { readonly kind: 'artifact'; readonly run: number; readonly asked: number; readonly artifact: NewArtifact }
  | { readonly kind: 'chunk'; readonly run: number; readonly asked: number; readonly bytes: Uint8Array }
  | { readonly kind: 'chunks-end'; readonly run: number; readonly asked: number }
  | { readonly kind: 'chunks-broken'; readonly run: number; readonly asked: number }

export interface NewArtifact {
  readonly name: string
  readonly options: ArtifactOptions
}
