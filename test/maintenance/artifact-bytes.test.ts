/** The bytes of artifacts held against their rows, where the disk or the store is in the way. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { test } from 'node:test'

import { MillraceError } from '../../src/core/errors.ts'
import { faultOfBytes, Reading } from '../../src/maintenance/artifact-bytes.ts'
import type { DoctorProgress } from '../../src/maintenance/artifact-bytes.ts'
import type { KeptArtifact } from '../../src/store/integrity.ts'
import { openModel } from '../support/open-model.ts'
import { modelBytes } from '../support/model-bytes.ts'

const INK = Buffer.alloc(1_000, 'ink')

function artifactOf(path: string, bytes: Buffer = INK): KeptArtifact {
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { id: path, jobId: 'j', path, sizeBytes: bytes.length, sha256 }
}

/** A reading of artifacts that are all listed on one page. */
async function beginReading(artifacts: readonly KeptArtifact[], told: DoctorProgress[] = []): Promise<Reading> {
  const { store } = await openModel()
  return Reading.begin({ ...store.integrity, artifacts: async () => ({ artifacts, next: null }) }, (progress) =>
    told.push(progress),
  )
}

function bytesThatBreak(error: Error): ReturnType<typeof modelBytes> {
  const read = (): Readable =>
    Readable.from(
      (async function* pieces() {
        yield INK.subarray(0, 10)
        throw error
      })(),
    )
  return { ...modelBytes(new Map([['a', INK]])), read }
}

test('bytes that the disk does not give are damaged, and the reading goes on', async () => {
  const reading = await beginReading([artifactOf('a'), artifactOf('b')])
  const broken = bytesThatBreak(Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' }))
  assert.deepEqual(await faultOfBytes(broken, artifactOf('a'), reading), {
    code: 'artifact-bytes-damaged',
    what: "can't be read: EIO: i/o error, read",
  })
  assert.equal(await faultOfBytes(broken, artifactOf('a'), null), null, 'they are as many as they should be')
  assert.equal(await faultOfBytes(modelBytes(new Map([['b', INK]])), artifactOf('b'), reading), null)
})

test('a store that is not there says nothing of the bytes', async () => {
  const reading = await beginReading([artifactOf('a')])
  const gone = bytesThatBreak(new MillraceError('store-unreachable', 'The server does not answer.'))
  await assert.rejects(faultOfBytes(gone, artifactOf('a'), reading), { code: 'store-unreachable' })
})

test('a reading tells of each hundredth once, and of the whole at its end, whatever came of it', async () => {
  const artifacts = ['a', 'b', 'missing'].map((path) => artifactOf(path))
  const told: DoctorProgress[] = []
  const reading = await beginReading(artifacts, told)
  const inPieces = (): Readable => Readable.from(Array.from(INK, (_byte, at) => INK.subarray(at, at + 1)))
  const bytes = { ...modelBytes(new Map(['a', 'b'].map((path) => [path, INK]))), read: inPieces }
  for (const artifact of [...artifacts, artifactOf('a')]) await faultOfBytes(bytes, artifact, reading)
  reading.end()
  const reached = told.map(({ bytesRead }) => bytesRead)
  assert.deepEqual(reached.slice(0, 3), [0, 30, 60])
  assert.deepEqual(
    reached,
    [...new Set(reached)].toSorted((left, right) => left - right),
  )
  assert.deepEqual(told.at(-1), { bytesRead: 3_000, bytesTotal: 3_000 })
  assert.ok(told.length <= 102)
})

test('where there are no artifacts there is nothing to read', async () => {
  const told: DoctorProgress[] = []
  const reading = await beginReading([], told)
  reading.end()
  assert.deepEqual(told, [{ bytesRead: 0, bytesTotal: 0 }])
})
