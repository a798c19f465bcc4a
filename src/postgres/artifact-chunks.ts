/**
 * Artifacts in the database, cut into pieces, so that no statement carries more than one of them. Each piece is committed by itself, long
 * before the artifact's row: until that refers to them they are nobody's, and so are those of a process that died in between.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'

import { MillraceError } from '../core/errors.ts'
import type { ArtifactBytes, OldBytes, WrittenBytes } from '../store/artifacts.ts'
import { NOW } from './database.ts'
import type { Database } from './database.ts'
import type { PgValue, Row } from './driver.ts'

const CHUNK_BYTES = 256 * 1024

/** Made again after a lost answer it comes to the same. */
const ADD =
  'INSERT INTO millrace.artifact_chunks (path, ordinal, bytes, written_at) ' +
  'VALUES ($1, $2, $3, coalesce($4::bigint, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)) ON CONFLICT DO NOTHING'
const SIZE = 'SELECT sum(octet_length(bytes))::bigint AS size FROM millrace.artifact_chunks WHERE path = $1'
const PIECES = 'SELECT count(*) AS pieces FROM millrace.artifact_chunks WHERE path = $1'
const ONE = 'SELECT bytes FROM millrace.artifact_chunks WHERE path = $1 AND ordinal = $2'
/** In the order of their index. The latest piece counts: somebody may be writing for long. */
const PAGE_OF_PATHS = `SELECT path, max(written_at) <= ${NOW} - $2::bigint AS old FROM millrace.artifact_chunks WHERE path > $3 GROUP BY path ORDER BY path LIMIT $4`
const PATHS_A_PAGE = 1_000
const REMOVE = 'DELETE FROM millrace.artifact_chunks WHERE path = $1'

export class ArtifactChunks implements ArtifactBytes {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  async write(path: string, chunks: AsyncIterable<Uint8Array>): Promise<WrittenBytes> {
    const hash = createHash('sha256')
    let ordinal = 0
    let sizeBytes = 0
    try {
      for await (const piece of piecesOf(chunks)) {
        hash.update(piece)
        await this.#run(ADD, path, ordinal, piece, this.#db.virtualNow)
        ordinal += 1
        sizeBytes += piece.byteLength
      }
      await this.#checkPieces(path, ordinal)
    } catch (error) {
      if (ordinal > 0) await this.remove(path).catch(() => undefined)
      throw error
    }
    return { sizeBytes, sha256: hash.digest('hex') }
  }

  /** What was written for longer than orphans are left alone may have lost its first pieces to a cleanup. */
  async #checkPieces(path: string, written: number): Promise<void> {
    const [row] = await this.#db.ask(PIECES, path)
    if (Number(row?.['pieces']) === written) return
    throw new MillraceError(
      'artifact-missing',
      `Pieces of the artifact at ${path} were removed while it was being written.`,
    )
  }

  async sizeOf(path: string): Promise<number | null> {
    const [row] = await this.#db.ask(SIZE, path)
    const size = row?.['size']
    return typeof size === 'number' ? size : null
  }

  read(path: string): Readable {
    return Readable.from(this.#pieces(path), { objectMode: false })
  }

  async remove(path: string): Promise<void> {
    await this.#run(REMOVE, path)
  }

  async *old({ part, parts, ageMs }: OldBytes): AsyncGenerator<readonly string[]> {
    // All of them with the first share: paths have no order that could be cut.
    if (part % parts !== 0) return
    for (let after = '', length = PATHS_A_PAGE; length === PATHS_A_PAGE;) {
      const rows = await this.#db.ask(PAGE_OF_PATHS, this.#db.virtualNow, ageMs, after, PATHS_A_PAGE)
      const old = rows.filter((row) => row['old'] === true).map((row) => String(row['path']))
      if (old.length > 0) yield old
      const last = rows.at(-1)?.['path']
      if (typeof last === 'string') after = last
      length = rows.length
    }
  }

  fileOf(): null {
    return null
  }

  async *#pieces(path: string): AsyncGenerator<Uint8Array> {
    for (let ordinal = 0; ; ordinal += 1) {
      const [row] = await this.#db.ask(ONE, path, ordinal)
      if (row === undefined) return
      yield row['bytes'] as Uint8Array
    }
  }

  async #run(sql: string, ...values: readonly PgValue[]): Promise<readonly Row[]> {
    return this.#db.mayAutocommit ? this.#db.rows(sql, ...values) : this.#db.write((tx) => tx.rows(sql, ...values))
  }
}

/** The same bytes in pieces of one size; at least one, so that an empty artifact is there too. */
async function* piecesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = []
  let heldBytes = 0
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.byteLength;) {
      const part = chunk.subarray(at, at + CHUNK_BYTES - heldBytes)
      held.push(part)
      heldBytes += part.byteLength
      at += part.byteLength
      if (heldBytes < CHUNK_BYTES) continue
      yield Buffer.concat(held)
      held = []
      heldBytes = 0
    }
  }
  yield Buffer.concat(held)
}
