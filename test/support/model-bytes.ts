import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'

import type { ArtifactBytes } from '../../src/store/artifacts.ts'

/** The bytes of artifacts, in a Map. */
export function modelBytes(kept: Map<string, Buffer>): ArtifactBytes {
  return {
    async write(path, chunks) {
      const bytes = await buffer(Readable.from(chunks, { objectMode: false }))
      kept.set(path, bytes)
      return { sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
    },
    sizeOf: async (path) => kept.get(path)?.length ?? null,
    read: (path) => Readable.from([kept.get(path) ?? Buffer.alloc(0)], { objectMode: false }),
    remove: async (path) => void kept.delete(path),
    // Nobody knows how old they are.
    old: () => Readable.from([]),
    fileOf: () => null,
  }
}
