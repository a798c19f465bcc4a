/** The bytes of artifacts held against their rows: whether they are there, as many as were written, and, where they are read, the same. */
import { createHash } from 'node:crypto'

import { readText } from '../core/classification/error-tree.ts'
import { MillraceError } from '../core/errors.ts'
import type { ArtifactBytes } from '../store/artifacts.ts'
import type { IntegrityStore, KeptArtifact } from '../store/integrity.ts'

const PAGE = 500

/** Every artifact whose bytes are to be there, page by page. */
export async function* keptArtifacts(integrity: IntegrityStore): AsyncGenerator<KeptArtifact> {
  let after: string | null = null
  do {
    const page = await integrity.artifacts({ after, limit: PAGE })
    yield* page.artifacts
    after = page.next
  } while (after !== null)
}

export interface BytesFault {
  readonly code: 'artifact-bytes-missing' | 'artifact-bytes-cut' | 'artifact-bytes-damaged'
  /** How it is with the bytes, as the end of a sentence that begins with them. */
  readonly what: string
}

/**
 * What is wrong with the bytes of an artifact; null: nothing that was looked for.
 *
 * @param reading they are read too, as a part of it; null: only counted
 */
export async function faultOfBytes(
  bytes: ArtifactBytes,
  artifact: KeptArtifact,
  reading: Reading | null,
): Promise<BytesFault | null> {
  const fault = (await faultOfSize(bytes, artifact)) ?? (await reading?.faultOfContent(bytes, artifact)) ?? null
  reading?.pass(artifact)
  return fault
}

async function faultOfSize(bytes: ArtifactBytes, { path, sizeBytes }: KeptArtifact): Promise<BytesFault | null> {
  const size = await bytes.sizeOf(path)
  if (size === sizeBytes) return null
  if (size === null) return { code: 'artifact-bytes-missing', what: 'are not there' }
  return { code: 'artifact-bytes-cut', what: `are ${size} instead of ${sizeBytes}` }
}

/** How far a deep look has come. */
export interface DoctorProgress {
  /** How many bytes of artifacts are done with. */
  readonly bytesRead: number
  /** How many there are. */
  readonly bytesTotal: number
}

type Tell = (progress: DoctorProgress) => void

/** The bytes of all artifacts are read, which takes its time: it is told at the beginning, with each hundredth that is done, and at the end. */
export class Reading {
  readonly #bytesTotal: number
  readonly #tell: Tell
  /** Of the artifacts that are done with. */
  #bytesPassed = 0
  #bytesTold = 0

  private constructor(bytesTotal: number, tell: Tell) {
    this.#bytesTotal = bytesTotal
    this.#tell = tell
    tell({ bytesRead: 0, bytesTotal })
  }

  static async begin(integrity: IntegrityStore, tell: Tell): Promise<Reading> {
    let bytesTotal = 0
    for await (const { sizeBytes } of keptArtifacts(integrity)) bytesTotal += sizeBytes
    return new Reading(bytesTotal, tell)
  }

  /** Whether they are those that were written. Null: they are. */
  async faultOfContent(bytes: ArtifactBytes, { path, sha256 }: KeptArtifact): Promise<BytesFault | null> {
    const hash = createHash('sha256')
    let bytesRead = this.#bytesPassed
    try {
      for await (const piece of bytes.read(path) as AsyncIterable<Uint8Array>) {
        hash.update(piece)
        bytesRead += piece.byteLength
        this.#reach(bytesRead)
      }
    } catch (error) {
      // The store can't be reached, which says nothing of these bytes.
      if (error instanceof MillraceError) throw error
      return { code: 'artifact-bytes-damaged', what: `can't be read: ${readText(error)}` }
    }
    const found = hash.digest('hex')
    if (found === sha256) return null
    const what = `are not those that were written: their SHA-256 is ${found} instead of ${sha256}`
    return { code: 'artifact-bytes-damaged', what }
  }

  pass({ sizeBytes }: KeptArtifact): void {
    this.#bytesPassed += sizeBytes
    this.#reach(this.#bytesPassed)
  }

  end(): void {
    this.#reach(this.#bytesTotal)
  }

  /** Artifacts that are written meanwhile make it no more than the whole. */
  #reach(bytes: number): void {
    const bytesRead = Math.min(bytes, this.#bytesTotal)
    const step = bytesRead === this.#bytesTotal ? 1 : this.#bytesTotal / 100
    if (bytesRead - this.#bytesTold < step) return
    this.#bytesTold = bytesRead
    this.#tell({ bytesRead, bytesTotal: this.#bytesTotal })
  }
}
