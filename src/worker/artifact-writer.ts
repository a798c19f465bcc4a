/** What a job made: its bytes first, then its row under the claim. Whatever goes wrong, no row is left without its bytes. */
import { encodeJson } from '../core/encode-json.ts'
import { parseDuration } from '../core/duration.ts'
import { InvalidInputError, MillraceError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { ARTIFACT } from '../core/plans.ts'
import { OPERATOR } from '../core/scope.ts'
import type { NewArtifact } from '../store/claims.ts'
import { checkArtifactName, checkContentType } from './artifact-name.ts'
import type { Attempt } from './attempt.ts'
import type { ArtifactBody, ArtifactOptions, ArtifactWriter, WrittenArtifact } from './handler-context.ts'

export function artifactWriter(attempt: Attempt, phase: string): ArtifactWriter {
  return {
    write: async (name, body, options = {}) => {
      attempt.check('artifact.write')
      return writeArtifact(attempt, { name, body, phase, options })
    },
  }
}

interface Order {
  readonly name: string
  readonly body: ArtifactBody
  readonly phase: string
  readonly options: ArtifactOptions
}

async function writeArtifact(attempt: Attempt, { name, body, phase, options }: Order): Promise<WrittenArtifact> {
  const { store, runtime } = attempt.host
  checkArtifactName(name)
  const contentType = checkContentType(options.contentType ?? defaultContentType(body))
  const expiresInMs = options.expiresIn === undefined ? null : parseDuration(options.expiresIn, 'expiresIn')
  const metadata = encodeMetadata(options.metadata)
  const id = runtime.uuid()
  const path = pathOf(id, name)
  const { bytes } = store.artifacts
  const written = await bytes.write(
    path,
    whileHeld(chunksOf(body), () => attempt.check('artifact.write')),
  )
  const artifact: NewArtifact = { id, name, contentType, ...written, path, expiresInMs, phase }
  try {
    const detail = `{"artifactId":"${id}","name":${JSON.stringify(name)},"sizeBytes":${written.sizeBytes}${metadata}}`
    await attempt.write('artifact.write', { plan: ARTIFACT, detail, artifact })
  } catch (error) {
    if (!isUnknownOutcome(error)) await bytes.remove(path)
    throw error
  }
  const expiresAt = expiresInMs === null ? null : await expiryOf(attempt, id)
  const answer: WrittenArtifact = { artifactId: id, name, ...written, contentType, expiresAt }
  attempt.artifact = { written: answer, file: bytes.fileOf(path) }
  return answer
}

/**
 * A store that broke down, or whose answer never came, may have committed the row; bytes without one are swept up later, a row without its
 * bytes is a loss.
 */
function isUnknownOutcome(error: unknown): boolean {
  return !(error instanceof MillraceError) || error.code === 'internal' || error.code === 'store-unreachable'
}

/**
 * In folders by the last digits of the id, which are random, so that none grows without bound. The name's extension is kept, if it is a
 * plain one, so that whoever finds the file can open it.
 */
function pathOf(id: string, name: string): string {
  const extension = /\.[A-Za-z0-9]{1,8}$/.exec(name)?.[0].toLowerCase() ?? ''
  return `${id.slice(-2)}/${id}${extension}`
}

export function defaultContentType(body: ArtifactBody): string {
  return typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/octet-stream'
}

function encodeMetadata(metadata: ArtifactOptions['metadata']): string {
  return metadata === undefined ? '' : `,"metadata":${metadataText(metadata)}`
}

/** @throws InvalidInputError unless it is JSON, and not too large */
export function metadataText(metadata: unknown): string {
  return encodeJson(metadata, { path: 'metadata', limitBytes: LIMITS.progressContextBytes })
}

/** The store's clock decides when it expires. */
async function expiryOf({ host }: Attempt, id: string): Promise<number | null> {
  const record = await host.store.artifacts.get(id, OPERATOR)
  return typeof record === 'string' ? null : record.expiresAt
}

export async function* chunksOf(body: ArtifactBody): AsyncGenerator<Uint8Array> {
  if (typeof body === 'string') yield Buffer.from(body, 'utf8')
  else if (body instanceof Uint8Array) yield body
  else if (isIterable(body)) {
    for await (const chunk of body) yield checkChunk(chunk)
  } else {
    throw new InvalidInputError({
      path: 'body',
      expected: 'bytes, a text, or a stream of bytes',
      received: typeof body,
    })
  }
}

function isIterable(body: unknown): body is AsyncIterable<unknown> {
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body
}

function checkChunk(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk
  if (typeof chunk === 'string') return Buffer.from(chunk, 'utf8')
  throw new InvalidInputError({
    path: 'body',
    expected: 'a stream of bytes',
    received: `a chunk of type ${typeof chunk}`,
  })
}

/** Whoever has lost the claim meanwhile need not bring the rest. */
async function* whileHeld(chunks: AsyncIterable<Uint8Array>, check: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    check()
    yield chunk
  }
}
