import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, test } from 'node:test'

import type { Claim } from '../../src/core/job-row.ts'
import {
  ARTIFACT,
  CHECKPOINT,
  COMPLETE_ONLY_PHASE,
  FAIL_FINAL,
  FORCE_RESET,
  RELEASE,
  RETRY,
} from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { MINUTE, openBench, THREE_PHASES } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { dumpStore } from '../support/store-dump.ts'
import type { OpenStore } from '../support/store-under-test.ts'

/** A job of three phases, each of which has written a file of its name; it failed for good in the last one. */
async function failedWithFiles(bench: Bench): Promise<Claim> {
  const { claim } = await bench.running({ policy: THREE_PHASES })
  for (const phase of THREE_PHASES.phases) {
    await bench.must(ARTIFACT, claim, {}, { artifact: bench.artifact({ name: `${phase}.txt`, phase }) })
    if (phase !== 'store') await bench.must(CHECKPOINT, claim, { progress: 0 }, { result: '1' })
  }
  await bench.must(FAIL_FINAL, claim)
  return claim
}

/** What is listed: name, generation, attempt. */
async function listed({ store }: Bench, { jobId }: Claim): Promise<readonly (readonly unknown[])[]> {
  const made = await store.artifacts.list(jobId, OPERATOR)
  assert.ok(typeof made !== 'string')
  return made.map(({ name, generation, attempt }) => [name, generation, attempt])
}

export function artifactsContract(open: OpenStore): void {
  describe('artifacts', () => {
    test('an artifact is kept with the attempt that wrote it, and told', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      bench.advance(20)
      const createdAt = await bench.store.now()
      const { expiresInMs, ...artifact } = bench.artifact({ name: 'Übersicht #1.png', expiresInMs: 500, phase: 'run' })
      const detail = JSON.stringify({ artifactId: artifact.id, name: artifact.name, sizeBytes: artifact.sizeBytes })
      await bench.must(ARTIFACT, claim, {}, { artifact: { ...artifact, expiresInMs }, detail })
      const record = {
        ...artifact,
        jobId: claim.jobId,
        generation: 1,
        attempt: 1,
        createdAt,
        expiresAt: createdAt + 500,
      }
      assert.deepEqual(await bench.store.artifacts.get(artifact.id, OPERATOR), record)
      assert.deepEqual(await bench.store.artifacts.list(claim.jobId, OPERATOR), [record])
      const told = (await bench.events(claim.jobId)).at(-1)
      assert.deepEqual([told?.name, told?.detail], ['artifact:written', detail])
    })

    test('artifacts are listed oldest first, of one job, and outlive its end', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const { claim: other } = await bench.running()
      for (const name of ['c', 'a', 'b']) {
        await bench.must(ARTIFACT, claim, {}, { artifact: bench.artifact({ name, expiresInMs: null, sizeBytes: 0 }) })
        await bench.must(ARTIFACT, other, {}, { artifact: bench.artifact({ name }) })
      }
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '1' })
      const made = await bench.store.artifacts.list(claim.jobId, OPERATOR)
      assert.ok(typeof made !== 'string')
      assert.deepEqual(
        made.map(({ name, expiresAt }) => [name, expiresAt]),
        [
          ['c', null],
          ['a', null],
          ['b', null],
        ],
      )
    })

    test('within one attempt a name is written once, and a second is refused', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.must(ARTIFACT, claim, {}, { artifact: bench.artifact() })
      const before = await dumpStore(bench.store)
      const refused = await bench.act(ARTIFACT, claim, {}, { artifact: bench.artifact(), detail: '{}' })
      assert.deepEqual([refused.applied ? null : refused.refusal, refused.row?.state], ['artifact-exists', 'running'])
      assert.deepEqual(await dumpStore(bench.store), before)
      await bench.must(ARTIFACT, claim, {}, { artifact: bench.artifact({ name: 'MAP.PNG' }) })
    })

    test('a later attempt replaces what an earlier one wrote under the same name', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const first = bench.artifact({ sizeBytes: 1 })
      await bench.must(ARTIFACT, claim, {}, { artifact: first })
      await bench.must(ARTIFACT, claim, {}, { artifact: bench.artifact({ name: 'legend.txt' }) })
      await bench.must(RELEASE, claim)
      bench.advance(10)
      const again = await bench.take(claim.holder)
      const second = bench.artifact({
        sizeBytes: 2,
        expiresInMs: 50,
        contentType: 'image/webp',
        sha256: 'cd'.repeat(32),
      })
      await bench.must(ARTIFACT, again.claim, {}, { artifact: second })
      const { expiresInMs: _expiresInMs, ...kept } = second
      const createdAt = await bench.store.now()
      const record = { ...kept, jobId: claim.jobId, generation: 1, attempt: 2, createdAt, expiresAt: createdAt + 50 }
      assert.deepEqual(await bench.store.artifacts.get(second.id, OPERATOR), record)
      assert.equal(await bench.store.artifacts.get(first.id, OPERATOR), 'not-found')
      const made = await bench.store.artifacts.list(claim.jobId, OPERATOR)
      assert.ok(typeof made !== 'string')
      assert.deepEqual(
        made.map(({ name, attempt }) => [name, attempt]),
        [
          ['legend.txt', 1],
          ['map.png', 2],
        ],
      )
      assert.equal((await bench.eventNames(claim.jobId)).filter((name) => name === 'artifact:written').length, 3)
    })

    test('of two artifacts of one name at once one is kept', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      const results = await Promise.all(
        Array.from({ length: 4 }, () => bench.act(ARTIFACT, claim, {}, { artifact: bench.artifact() })),
      )
      assert.deepEqual(
        results.map(({ applied }) => applied),
        [true, false, false, false],
      )
      const made = await bench.store.artifacts.list(claim.jobId, OPERATOR)
      assert.equal(made.length, 1)
    })

    test('whoever has lost the claim is told that, not that the name is taken', async (t) => {
      const bench = await openBench(t, open)
      const { claim } = await bench.running()
      await bench.must(ARTIFACT, claim, {}, { artifact: bench.artifact() })
      await bench.must(RELEASE, claim)
      const late = await bench.act(ARTIFACT, claim, {}, { artifact: bench.artifact() })
      assert.equal(late.applied ? null : late.refusal, 'lease-lost')
    })

    describe('in a new generation', () => {
      for (const plan of [RETRY, FORCE_RESET]) {
        test(`those of phases whose results are kept stay listed, others do not (${plan.name})`, async (t) => {
          const bench = await openBench(t, open)
          const claim = await failedWithFiles(bench)
          const before = await bench.store.artifacts.list(claim.jobId, OPERATOR)
          assert.ok(typeof before !== 'string')
          await bench.renew(plan, claim.jobId, 1)
          assert.deepEqual(await listed(bench, claim), [['load.txt', 2, 1]])
          // The others are found by who knows their ids.
          for (const { id, name } of before) {
            const found = await bench.store.artifacts.get(id, OPERATOR)
            assert.equal(typeof found === 'string' ? found : found.name, name)
          }
        })

        test(`none is listed where no result is kept (${plan.name})`, async (t) => {
          const bench = await openBench(t, open)
          const claim = await failedWithFiles(bench)
          await bench.renew(plan, claim.jobId, 0)
          assert.deepEqual(await listed(bench, claim), [])
        })
      }

      test('what was taken along is taken along again, as long as its phase is kept', async (t) => {
        const bench = await openBench(t, open)
        const claim = await failedWithFiles(bench)
        const other = await failedWithFiles(bench)
        for (const phase of [2, 1]) {
          await bench.renew(RETRY, claim.jobId, phase)
          await bench.must(FAIL_FINAL, (await bench.take(claim.holder)).claim)
        }
        assert.deepEqual(await listed(bench, claim), [['load.txt', 3, 1]])
        await bench.renew(RETRY, claim.jobId, 0)
        assert.deepEqual(await listed(bench, claim), [])
        assert.equal((await listed(bench, other)).length, 3)
      })

      test('a later phase that writes the name of one that was taken along replaces it', async (t) => {
        const bench = await openBench(t, open)
        const claim = await failedWithFiles(bench)
        await bench.renew(RETRY, claim.jobId, 2)
        const { claim: again } = await bench.take(claim.holder)
        const artifact = bench.artifact({ name: 'load.txt', phase: 'store' })
        await bench.must(ARTIFACT, again, {}, { artifact })
        assert.deepEqual(await listed(bench, claim), [
          ['render.txt', 2, 1],
          ['load.txt', 2, 2],
        ])
        const twice = await bench.act(ARTIFACT, again, {}, { artifact: bench.artifact({ name: 'load.txt' }) })
        assert.equal(twice.applied ? null : twice.refusal, 'artifact-exists')
      })

      test('one that was taken along expires in its time, and goes with its job', async (t) => {
        const bench = await openBench(t, open)
        const { claim } = await bench.running({ policy: THREE_PHASES })
        for (const [name, expiresInMs] of [
          ['soon.txt', 50],
          ['late.txt', null],
        ] as const) {
          const artifact = bench.artifact({ name, path: `ab/${name}`, phase: 'load', expiresInMs })
          await bench.must(ARTIFACT, claim, {}, { artifact })
        }
        await bench.must(CHECKPOINT, claim, { progress: 33 }, { result: '1' })
        await bench.must(FAIL_FINAL, claim)
        await bench.renew(RETRY, claim.jobId, 1)
        bench.advance(60)
        const swept = await bench.store.retention.sweepUp({ eventsMs: MINUTE, sessionsMs: MINUTE, limit: 10 })
        assert.deepEqual(swept.paths, ['ab/soon.txt'])
        assert.deepEqual(await listed(bench, claim), [['late.txt', 2, 1]])
        await bench.must(FAIL_FINAL, (await bench.take(claim.holder)).claim)
        const { finishedAt } = await bench.details(claim.jobId)
        const purged = await bench.store.retention.purge([{ id: claim.jobId, finishedAt: finishedAt ?? 0 }])
        assert.deepEqual(purged.paths, ['ab/late.txt'])
      })
    })

    describe('their bytes', () => {
      test('are kept and read whole, however they came and however many there are', async (t) => {
        const { bytes } = (await openBench(t, open)).store.artifacts
        for (const sizes of [[0], [1], [7, 0, 300_000], [256 * 1024], [200_000, 200_000, 200_000, 200_000]]) {
          const path = `${sizes.length}/${sizes.join('-')}.bin`
          const chunks = sizes.map((size, at) => Buffer.alloc(size, `${at}-piece of ${size}`))
          const all = Buffer.concat(chunks)
          const sha256 = createHash('sha256').update(all).digest('hex')
          assert.deepEqual(await bytes.write(path, Readable.from(chunks)), { sizeBytes: all.length, sha256 })
          assert.equal(await bytes.sizeOf(path), all.length)
          assert.ok(all.equals(await buffer(bytes.read(path))), path)
        }
      })

      test('of which the last did not come are not kept', async (t) => {
        const { bytes } = (await openBench(t, open)).store.artifacts
        async function* broken(): AsyncGenerator<Uint8Array> {
          yield Buffer.alloc(600_000)
          throw new Error('the source has run dry')
        }
        await assert.rejects(bytes.write('ab/broken', broken()), /run dry/)
        assert.equal(await bytes.sizeOf('ab/broken'), null)
      })

      test('bytes that were cleared away while they were written are all there in the end, or none', async (t) => {
        const { bytes } = (await openBench(t, open)).store.artifacts
        async function* slow(): AsyncGenerator<Buffer> {
          yield Buffer.alloc(300_000)
          yield Buffer.alloc(300_000)
          await bytes.remove('ab/slow')
          yield Buffer.alloc(300_000)
        }
        const written = await bytes.write('ab/slow', slow()).catch(() => null)
        assert.equal(await bytes.sizeOf('ab/slow'), written?.sizeBytes ?? null)
      })

      test('are gone once they are removed, and only they', async (t) => {
        const { bytes } = (await openBench(t, open)).store.artifacts
        for (const path of ['ab/one', 'ab/other']) await bytes.write(path, Readable.from([Buffer.from(path)]))
        await bytes.remove('ab/one')
        await bytes.remove('ab/never')
        assert.deepEqual([await bytes.sizeOf('ab/one'), await bytes.sizeOf('ab/other')], [null, 8])
      })

      test('are under no path that leads elsewhere', async (t) => {
        const { bytes } = (await openBench(t, open)).store.artifacts
        assert.equal(await bytes.sizeOf('../../../../../../../etc/passwd'), null)
      })
    })
  })
}
