/** What a handler is handed, phase by phase. */
import type { Duration } from '../core/duration.ts'
import type { Json } from '../core/json.ts'

/**
 * Everything a handler knows about its job and may do to it. Whatever it writes, it writes under the claim of its attempt: once that claim
 * is lost, or the attempt has ended without it, every function here throws LeaseLostError and nothing is written.
 *
 * The members may be taken apart: `({ input, progress, signal }) => …`.
 */
export interface HandlerContext<Input = unknown, Results = object> {
  readonly jobId: string
  readonly type: string
  /** `''`: the job has none. */
  readonly tenant: string
  /** A user; null: nobody. */
  readonly owner: string | null
  readonly labels: Readonly<Record<string, string>>
  /** The stored input as the definition's schema gives it back. Each phase gets a copy of its own. */
  readonly input: Input
  /** What the earlier phases returned, by name, as JSON gives it back. Each phase gets copies of its own. */
  readonly results: Results
  /** How often the job was claimed, this time included: 1 is the first. */
  readonly attempt: number
  /** One life up to a final state, counted from 1; a retry begins the next. */
  readonly generation: number
  /** The name of the phase that runs. */
  readonly phase: string
  /** Grows with every claim of the job: what a system outside can use to refuse a late write. */
  readonly fence: number
  /**
   * Aborted when the handler must stop. Its reason is a JobCancelledError, a LeaseLostError, or a MillraceError whose code is `time-out`
   * or `shutting-down`. Made when it is first asked for.
   */
  readonly signal: AbortSignal
  /**
   * Tells how far this phase has come. Smaller than before is ignored; it is written at most every 250 ms, and told by an event at most
   * once a second. A plain call: it waits for nothing.
   *
   * @param percent of this phase, 0 to 100
   * @param context told beside it, and kept with the attempt should it fail; at most 16 KB of JSON
   * @throws InvalidInputError if it is out of range, or the context is not JSON or too large
   */
  readonly progress: (percent: number, context?: Json) => void
  /**
   * Throws if the handler must stop: JobCancelledError, LeaseLostError, or the signal's reason. A read of memory, so it can be called as
   * often as one likes; at most every 20 ms it asks the store itself, since no news comes in while a handler computes without a pause. If
   * the store can't be asked it warns once and returns.
   */
  readonly checkCancellation: () => void
  readonly log: JobLog
  readonly artifact: ArtifactWriter
  /**
   * Gives the attempt more time: it may take this long from now on, instead of what is left of its time-out.
   *
   * @throws InvalidInputError unless it is above 0; LeaseLostError
   */
  readonly extend: (duration: Duration) => Promise<void>
}

/** Lines in the job's own history, as `job:log` events. Plain calls: they wait for nothing. */
export interface JobLog {
  /**
   * @param message its first 4,000 characters are kept
   * @param fields at most 16 KB of JSON; what is more, or no JSON, is left out and the line says so
   */
  readonly info: (message: string, fields?: Readonly<Record<string, unknown>>) => void
  readonly warn: (message: string, fields?: Readonly<Record<string, unknown>>) => void
  readonly error: (message: string, fields?: Readonly<Record<string, unknown>>) => void
}

/** The bytes of an artifact. A text is kept as UTF-8. */
export type ArtifactBody = string | Uint8Array | AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>

export interface ArtifactOptions {
  /** Default `application/octet-stream`, for a text `text/plain; charset=utf-8`. */
  readonly contentType?: string
  /** After that long it may be removed. Default: with its job. */
  readonly expiresIn?: Duration
  /** Told by the event `artifact:written`; at most 16 KB of JSON. */
  readonly metadata?: Readonly<Record<string, Json>>
}

/** An artifact as it is kept, and as it may stand in a phase's result. A type and not an interface, so that it counts as `Json`. */
export type WrittenArtifact = {
  readonly artifactId: string
  readonly name: string
  readonly sizeBytes: number
  /** Hexadecimal. */
  readonly sha256: string
  readonly contentType: string
  /** Epoch milliseconds by the store's clock; null: with its job. */
  readonly expiresAt: number | null
}

export interface ArtifactWriter {
  /**
   * Keeps bytes that the job made, for download. Resolves once they are on disk and in the store.
   *
   * @param name what it is called when it is downloaded: 1 to 200 characters, no path
   * @throws InvalidInputError for a name or an option; ConflictError `artifact-exists` if this attempt has written one of that name;
   *   LeaseLostError. Nothing is kept then.
   */
  readonly write: (name: string, body: ArtifactBody, options?: ArtifactOptions) => Promise<WrittenArtifact>
}
