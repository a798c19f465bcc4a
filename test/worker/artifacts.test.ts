import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, test } from 'node:test'
import { defineJob } from '../../src/client/define-job.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { ArtifactRecord } from '../../src/store/artifacts.ts'
import type { Store } from '../../src/store/store.ts'
import { handle } from '../../src/worker/handler.ts'
import type { ContextOf } from '../../src/worker/handler.ts'
import { openWorkplace } from './open-workplace.ts'
import type { Workplace } from './open-workplace.ts'

const make = defineJob('make', { service: 'tests', retry: { maxAttempts: 1 } })

type Context = ContextOf<typeof make>

/** Runs a job to its end, however long the disk takes. */
async function runJob(place: Workplace, run: (context: Context) => Promise<unknown>): Promise<string> {
  const id = await place.enqueue(make)
  const worker = await place.start([handle(make, run as (context: Context) => Promise<null>)])
  await worker.idle()
  return id
}

async function artifactsOf({ store }: Workplace, id: string): Promise<readonly ArtifactRecord[]> {
  const records = await store.artifacts.list(id, OPERATOR)
  assert(typeof records !== 'string')
  return records
}

function folderOf({ artifacts }: Workplace['store']): string {
  return artifacts.bytes.fileOf('.') ?? ''
}

/** Every file below the artifact folder. */
function files({ store }: Workplace): readonly string[] {
  return readdirSync(folderOf(store), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

async function* chunks(...parts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part)
}

describe('an artifact', () => {
  for (const [what, body] of [
    ['a text', () => 'päper'],
    ['bytes', () => Buffer.from('päper')],
    ['an iterable of bytes', () => chunks('pä', 'per')],
    ['a stream of Node', () => Readable.from([Buffer.from('pä'), Buffer.from('per')])],
    ['a stream of the web', () => new Blob(['päper']).stream()],
  ] as const) {
    test(`may be written from ${what}`, async (context) => {
      const place = await openWorkplace(context)
      const id = await runJob(place, ({ artifact }) => artifact.write('map.txt', body(), { contentType: 'text/x-map' }))
      const { state, output } = await place.job(id)
      assert.equal(state, 'completed')
      const written = JSON.parse(output ?? '') as Record<string, unknown>
      const [record] = await artifactsOf(place, id)
      assert(record !== undefined)
      const sha256 = createHash('sha256').update('päper').digest('hex')
      const facts = { name: 'map.txt', sizeBytes: 6, sha256, contentType: 'text/x-map', expiresAt: null }
      assert.deepEqual(written, { artifactId: record.id, ...facts })
      const { name, sizeBytes, contentType, expiresAt, phase, attempt } = record
      assert.deepEqual(
        { name, sizeBytes, sha256: record.sha256, contentType, expiresAt, phase, attempt },
        { ...facts, phase: 'run', attempt: 1 },
      )
      assert.equal(readFileSync(place.store.artifacts.bytes.fileOf(record.path) ?? '', 'utf8'), 'päper')
      assert.equal(files(place).length, 1)
    })
  }

  test('expires by the clock of the store, and is told with what belongs to it', async (context) => {
    const place = await openWorkplace(context)
    const id = await runJob(place, ({ artifact }) =>
      artifact.write('map.png', new Uint8Array(3), { expiresIn: '1h', metadata: { width: 20 } }),
    )
    const { output } = await place.job(id)
    const { artifactId, expiresAt } = JSON.parse(output ?? '') as { artifactId: string; expiresAt: number }
    assert.equal(expiresAt, place.runtime.now() + 3_600_000)
    const told = (await place.events(id)).find(({ name }) => name === 'artifact:written')
    assert.deepEqual(JSON.parse(told?.detail ?? ''), {
      artifactId,
      name: 'map.png',
      sizeBytes: 3,
      metadata: { width: 20 },
    })
  })

  for (const name of [
    '',
    '.',
    '..',
    'a/b',
    'a\\b',
    '../../etc/passwd',
    'a\0b',
    'a\nb',
    ' a',
    'a ',
    'x'.repeat(201),
    '\uD800',
  ]) {
    test(`may not be called ${JSON.stringify(name.slice(0, 20))}`, async (context) => {
      const place = await openWorkplace(context)
      const id = await runJob(place, async ({ artifact }) => {
        await assert.rejects(artifact.write(name, 'x'), { code: 'name-invalid' })
      })
      assert.equal((await place.job(id)).state, 'completed')
      assert.deepEqual(files(place), [])
    })
  }

  test('may be called what people call files', async (context) => {
    const place = await openWorkplace(context)
    const names = ['map (1).png', 'Übersicht.pdf', '.hidden', 'a..b', '地図.svg']
    const id = await runJob(place, async ({ artifact }) => {
      for (const name of names) await artifact.write(name, name)
    })
    assert.equal((await place.job(id)).state, 'completed')
    assert.deepEqual((await artifactsOf(place, id)).map(({ name }) => name).toSorted(), names.toSorted())
  })

  for (const contentType of ['png', 'text/html\r\nx: y', 'text/plain; charset="utf-8', `text/${'x'.repeat(200)}`]) {
    test(`may not claim to be ${JSON.stringify(contentType.slice(0, 30))}`, async (context) => {
      const place = await openWorkplace(context)
      const id = await runJob(place, async ({ artifact }) => {
        await assert.rejects(artifact.write('x', 'x', { contentType }), { code: 'option-invalid' })
      })
      assert.equal((await place.job(id)).state, 'completed')
    })
  }

  test('leaves no file where its name is taken', async (context) => {
    const place = await openWorkplace(context)
    const id = await runJob(place, async ({ artifact }) => {
      await artifact.write('map.txt', 'first')
      await assert.rejects(artifact.write('map.txt', 'second'), { code: 'artifact-exists' })
    })
    const records = await artifactsOf(place, id)
    assert.equal(records.length, 1)
    assert.deepEqual(
      files(place).map((file) => readFileSync(file, 'utf8')),
      ['first'],
    )
  })

  test('leaves no file where its stream breaks off', async (context) => {
    const place = await openWorkplace(context)
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('half')
      throw new Error('the renderer died')
    }
    const id = await runJob(place, ({ artifact }) => artifact.write('map.txt', broken()))
    assert.equal((await place.job(id)).state, 'failed')
    assert.deepEqual(files(place), [])
  })

  test('leaves no file where the store does not take its row', async (context) => {
    const place = await openWorkplace(context)
    const { MillraceError } = await import('../../src/core/errors.ts')
    place.faults.apply = ({ plan }) => (plan.name === 'artifact' ? new MillraceError('store-full', 'full') : undefined)
    const id = await runJob(place, ({ artifact }) => artifact.write('map.txt', 'x'))
    assert.equal((await place.job(id)).state, 'failed')
    assert.deepEqual(files(place), [])
  })

  test('keeps its file where nobody can tell whether the store has taken its row', async (context) => {
    const place = await openWorkplace(context)
    const { MillraceError } = await import('../../src/core/errors.ts')
    const { store, enqueue, start } = place
    const apply: Store['claims']['apply'] = async (call) => {
      const result = await store.claims.apply(call)
      if (call.plan.name === 'artifact') throw new MillraceError('store-unreachable', 'the answer never came')
      return result
    }
    const id = await enqueue(make)
    const worker = await start([handle(make, async ({ artifact }) => void (await artifact.write('map.txt', 'x')))], {
      store: { ...store, claims: { ...store.claims, apply } },
    })
    await worker.idle()
    assert.equal((await artifactsOf(place, id)).length, 1)
    assert.equal(files(place).length, 1)
  })

  test('is refused when the claim is lost while its bytes still come, and leaves no file', async (context) => {
    const place = await openWorkplace(context)
    const gate = Promise.withResolvers<void>()
    const started = Promise.withResolvers<void>()
    const refused = Promise.withResolvers<unknown>()
    let pulled = false
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('first half')
      started.resolve()
      await gate.promise
      yield Buffer.from('second half')
      pulled = true
      yield Buffer.from('and more')
    }
    const id = await place.enqueue(make)
    await place.start([
      handle(make, async ({ artifact, attempt }) => {
        if (attempt > 1) return
        await artifact.write('map.txt', slow()).catch((error: unknown) => {
          refused.resolve(error)
          throw error
        })
      }),
    ])
    await started.promise
    const { holder } = await place.job(id)
    await place.store.sessions.end(holder ?? -1)
    await place.store.claims.sweep({ graceMs: 0, random: 0 })
    await place.runtime.advance(2_000)
    gate.resolve()
    assert.equal(((await refused.promise) as { code: string }).code, 'lease-lost')
    assert.equal(pulled, false)
    assert.deepEqual(files(place), [])
    assert.deepEqual(await artifactsOf(place, id), [])
  })

  test('of something that is no bytes is refused', async (context) => {
    const place = await openWorkplace(context)
    async function* numbers(): AsyncGenerator<Uint8Array> {
      yield 1 as unknown as Uint8Array
    }
    const id = await runJob(place, async ({ artifact }) => {
      await assert.rejects(artifact.write('a', 5 as unknown as string), { code: 'option-invalid' })
      await assert.rejects(artifact.write('b', numbers()), { code: 'option-invalid' })
      await assert.rejects(artifact.write('c', 'c', { metadata: { at: new Date() as unknown as string } }), {
        code: 'json-invalid',
      })
    })
    assert.equal((await place.job(id)).state, 'completed')
    assert.deepEqual(files(place), [])
    assert.equal(existsSync(folderOf(place.store)), true)
  })
})
