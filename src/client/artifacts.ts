import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import type { Readable } from 'node:stream'

import { NotFoundError } from '../core/errors.ts'
import type { Scope } from '../core/scope.ts'
import type { ArtifactRecord } from '../store/artifacts.ts'
import type { Store } from '../store/store.ts'
import { checkText, shown } from './names.ts'
import { noSuchJob } from './job-watcher.ts'
import { notYours } from './refusals.ts'

/** A file that a job made. Instants are epoch milliseconds. */
export interface Artifact {
  readonly id: string
  readonly jobId: string
  readonly generation: number
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
  /** Where the bytes are, absolute. Read only. */
  readonly path: string
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
  if (record === 'forbidden') throw notYours(id)
  if (record.expiresAt !== null && record.expiresAt <= (await store.now()))
    throw missing(id, 'The artifact has expired')
  const path = await findFile(store.artifacts.folder, record)
  return {
    record: toArtifact(record),
    path,
    stream: () => createReadStream(path),
    bytes: async () => readFile(path),
  }
}

/** The file, if it is inside the folder and as long as it was written. */
async function findFile(folder: string, { id, path, sizeBytes }: ArtifactRecord): Promise<string> {
  const root = resolve(folder)
  const file = resolve(root, path)
  if (!file.startsWith(root + sep)) throw missing(id, `Its path ${shown(path)} leads out of the artifact folder`)
  const found = await stat(file).catch(() => null)
  if (found?.size === sizeBytes) return file
  const why = found === null ? 'is not there' : `has ${found.size} bytes instead of ${sizeBytes}`
  throw missing(id, `Its file ${file} ${why}`)
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
