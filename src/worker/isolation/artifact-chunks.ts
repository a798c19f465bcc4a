/** The bytes of an artifact as they travel: a piece at a time, and only when the worker asks for it. */
import { chunksOf } from '../artifact-writer.ts'
import type { ArtifactBody } from '../handler-context.ts'

const PIECE_BYTES = 1024 * 1024

export class ChunkReader {
  readonly #pieces: AsyncGenerator<Uint8Array>
  #broken: { readonly error: unknown } | null = null

  constructor(body: ArtifactBody) {
    this.#pieces = piecesOf(body)
  }

  /** What the handler's own stream has thrown. */
  get broken(): { readonly error: unknown } | null {
    return this.#broken
  }

  /** Null: that was all. */
  async next(): Promise<Uint8Array | null | 'broken'> {
    try {
      const next: IteratorResult<Uint8Array, unknown> = await this.#pieces.next()
      return next.done === true ? null : next.value
    } catch (error) {
      this.#broken = { error }
      return 'broken'
    }
  }

  async close(): Promise<void> {
    await this.#pieces.return(undefined).catch(() => undefined)
  }
}

async function* piecesOf(body: ArtifactBody): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunksOf(body)) {
    for (let at = 0; at < chunk.byteLength; at += PIECE_BYTES) {
      // A copy: what is posted would take the whole of a pooled buffer with it, and the handler may go on changing it.
      yield Uint8Array.from(chunk.subarray(at, at + PIECE_BYTES))
    }
  }
}

/** The same bytes where they are written: each is asked for when it is wanted. */
export class ChunkSource {
  readonly #ask: () => void
  #waiting: PromiseWithResolvers<Uint8Array | null> | null = null
  #failure: { readonly error: unknown } | null = null

  constructor(ask: () => void) {
    this.#ask = ask
  }

  /** Null: that was all. */
  give(bytes: Uint8Array | null): void {
    this.#waiting?.resolve(bytes)
  }

  fail(error: unknown): void {
    this.#failure = { error }
    this.#waiting?.reject(error)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure.error
      this.#waiting = Promise.withResolvers()
      this.#ask()
      const bytes = await this.#waiting.promise
      if (bytes === null) return
      yield bytes
    }
  }
}
