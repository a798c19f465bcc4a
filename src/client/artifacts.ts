import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'

import { NotFoundError } from '../core/errors.ts'
import type { Scope } from '../core/scope.ts'
import type { ArtifactBytes, ArtifactRecord } from '../store/artifacts.ts'
import type { Store } from '../store/store.ts'
import { checkText } from './names.ts'
import { noSuchJob } from './job-watcher.ts'
import { notYours } from './refusals.ts'

/** A file that a job made. Instants are epoch milliseconds. */
export interface Artifact {
  readonly id: string
  readonly jobId: string
  /** The life of the job that it belongs to: the one in which it was written, or a later one that kept the result of its phase. */
  readonly generation: number
  /** The attempt that wrote it. */
  readonly attempt: number
  /** The phase that wrote it. */
  readonly phase: string
  readonly name: string
  readonly contentType: string
  readonly sizeBytes: number
  /** Hexadecimal. */
  readonly sha256: string
  readonly createdAt: number
  /** Null: it is kept as long as its job. */
  readonly expiresAt: number | null
}

/** An artifact whose bytes are there to be read. */
export interface OpenedArtifact {
  readonly record: Artifact
  /** The file that the bytes are in, absolute, to be read only; null: they are in the database. */
  readonly path: string | null
  /** A new stream of the bytes. Nothing is opened before this call. */
  readonly stream: () => Readable
  /** All of the bytes. */
  readonly bytes: () => Promise<Uint8Array>
}

/** @throws NotFoundError, ForbiddenError */
export async function listArtifacts(store: Store, scope: Scope, jobId: string): Promise<readonly Artifact[]> {
  const records = await store.artifacts.list(jobId, scope)
  if (records === 'not-found') throw noSuchJob(jobId)
  if (records === 'forbidden') throw notYours(jobId)
  return records.map(toArtifact)
}

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** @throws NotFoundError `artifact-missing`, ForbiddenError */
export async function openArtifact(store: Store, scope: Scope, artifactId: string): Promise<OpenedArtifact> {
  const id = checkText(artifactId, { path: 'artifactId', maxCharacters: 200 }).toLowerCase()
  const record = ID.test(id) ? await store.artifacts.get(id, scope) : 'not-found'
  if (record === 'not-found') throw missing(id, 'There is no such artifact, or none that you may see')
  if (record === 'forbidden') throw notYours(id, 'Artifact')
  if (record.expiresAt !== null && record.expiresAt <= (await store.now()))
    throw missing(id, 'The artifact has expired')
  const { bytes } = store.artifacts
  await checkBytes(bytes, record)
  const stream = (): Readable => bytes.read(record.path)
  return { record: toArtifact(record), path: bytes.fileOf(record.path), stream, bytes: async () => buffer(stream()) }
}

/** They are there, as many as were written. */
async function checkBytes(bytes: ArtifactBytes, { id, path, sizeBytes }: ArtifactRecord): Promise<void> {
  const size = await bytes.sizeOf(path)
  if (size === sizeBytes) return
  const file = bytes.fileOf(path)
  const where = file === null ? 'in the database' : `at ${file}`
  if (size === null) throw missing(id, `Its bytes are not there, ${where}`)
  throw missing(id, `There are ${size} bytes of it instead of ${sizeBytes}, ${where}`)
}

function missing(artifactId: string, why: string): NotFoundError {
  return new NotFoundError(
    'artifact-missing',
    `${why} (${artifactId}). Retry the job from the start to have it made again.`,
    {
      details: { artifactId },
    },
  )
}

function toArtifact(record: ArtifactRecord): Artifact {
  const { id, jobId, generation, attempt, phase, name, contentType, sizeBytes, sha256, createdAt, expiresAt } = record
  return { id, jobId, generation, attempt, phase, name, contentType, sizeBytes, sha256, createdAt, expiresAt }
}
