import type { Readable } from 'node:stream'

import type { Scope } from '../core/scope.ts'
import type { NewArtifact } from './claims.ts'

export interface ArtifactRecord extends Omit<NewArtifact, 'expiresInMs'> {
  readonly jobId: string
  /** Raised with the job's where the result of its phase is kept. */
  readonly generation: number
  readonly attempt: number
  readonly createdAt: number
  readonly expiresAt: number | null
}

export type WrittenBytes = Pick<NewArtifact, 'sizeBytes' | 'sha256'>

export interface OldBytes {
  /** The share of all that is looked through: the part `part` of `parts`. All parts one after another are all. */
  readonly part: number
  readonly parts: number
  readonly ageMs: number
  /** The present time of this machine, which files go by, epoch milliseconds. */
  readonly now: number
}

/** Where the bytes of artifacts are: in files of a folder, or in the database. They are known by the `path` that their row gives. */
export interface ArtifactBytes {
  /** Keeps all of them or none, and resolves once they are as durable as what the store commits. Nothing is under that path yet. */
  write(path: string, chunks: AsyncIterable<Uint8Array>): Promise<WrittenBytes>
  /** How many there are; null: none were written under that path, or it is no path of an artifact. */
  sizeOf(path: string): Promise<number | null>
  read(path: string): Readable
  /** Nothing happens if there are none. */
  remove(path: string): Promise<void>
  /** Page by page, the paths of what was last written to long ago, whether or not an artifact refers to it. Strangers are left alone. */
  old(search: OldBytes): AsyncIterable<readonly string[]>
  /** The file that they are in, absolute; null: they are in the database. */
  fileOf(path: string): string | null
}

export interface ArtifactStore {
  /** Those of the job's present generation, oldest first. */
  list(jobId: string, scope: Scope): Promise<readonly ArtifactRecord[] | 'not-found' | 'forbidden'>
  get(id: string, scope: Scope): Promise<ArtifactRecord | 'not-found' | 'forbidden'>
  readonly bytes: ArtifactBytes
}
