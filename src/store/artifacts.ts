import type { Scope } from '../core/scope.ts'
import type { NewArtifact } from './claims.ts'

export interface ArtifactRecord extends Omit<NewArtifact, 'expiresInMs'> {
  readonly jobId: string
  readonly generation: number
  readonly attempt: number
  readonly createdAt: number
  readonly expiresAt: number | null
}

export interface ArtifactStore {
  /** Those of the job's present generation, oldest first. */
  list(jobId: string, scope: Scope): Promise<readonly ArtifactRecord[] | 'not-found' | 'forbidden'>
  get(id: string, scope: Scope): Promise<ArtifactRecord | 'not-found' | 'forbidden'>
  /** The folder that holds the bytes. */
  readonly folder: string
}
