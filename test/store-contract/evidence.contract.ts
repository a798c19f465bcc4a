import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { CANCEL, CHECKPOINT, COMPLETE, COMPLETE_ONLY_PHASE, FAIL_FINAL, RETRY } from '../../src/core/plans.ts'
import { ENTITY_NOTE_MS } from '../../src/store/evidence.ts'
import type { EndedRecord, EvidenceRecords } from '../../src/store/evidence.ts'
import { attemptError, ONE_PHASE, openBench, THREE_PHASES } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import type { OpenStore } from '../support/store-under-test.ts'

function evidenceOf(bench: Bench, endedLimit: number = 10): Promise<EvidenceRecords> {
  return bench.store.jobTypes.evidence({ endedLimit, entityLimit: 10 })
}

async function complete(bench: Bench, output: string, holder?: number): Promise<string> {
  await bench.add()
  const { claim } = await bench.take(holder ?? (await bench.session()))
  bench.advance(5)
  await bench.must(COMPLETE_ONLY_PHASE, claim, { output })
  return claim.jobId
}

function byJob(ended: readonly EndedRecord[]): ReadonlyMap<string, EndedRecord> {
  return new Map(ended.map((record) => [record.jobId, record]))
}

export function evidenceContract(open: OpenStore): void {
  describe('evidence', () => {
    test('tells of each type whether its jobs wait, and whether only for a worker', async (t) => {
      const bench = await openBench(t, open)
      await bench.register(ONE_PHASE, 'idle')
      await bench.add({ type: 'queued' })
      await bench.add({ type: 'elsewhere', queue: 'slow' })
      await bench.add({ type: 'scheduled', delayMs: 1_000 })
      await bench.running({ type: 'running' })
      const waiting = { idle: 'none', queued: 'due', elsewhere: 'due', scheduled: 'later', running: 'none' }
      assert.deepEqual(Object.fromEntries((await evidenceOf(bench)).waiting), waiting)
      bench.advance(1_000)
      const later = { ...waiting, scheduled: 'due' }
      assert.deepEqual(Object.fromEntries((await evidenceOf(bench)).waiting), later)
    })

    test('tells of the jobs that ended last who ran them, how long, and to what end', async (t) => {
      const bench = await openBench(t, open)
      const holder = await bench.session({ service: 'maps', host: 'mill-2', version: '1.2' })
      const completed = await complete(bench, '"a map"', holder)
      const empty = await complete(bench, 'null', holder)
      const long = await complete(bench, JSON.stringify('x'.repeat(1_000)), holder)
      const failing = await bench.running()
      bench.advance(7)
      await bench.must(FAIL_FINAL, failing.claim, {}, { error: attemptError() })
      const cancelled = await bench.add()
      await bench.must(CANCEL, cancelled, { actor: 'ann', reason: null })
      const ended = byJob((await evidenceOf(bench)).ended)
      const worker = { service: 'maps', host: 'mill-2', version: '1.2' }
      const shape = ({ type: _type, jobId: _jobId, endedAt: _endedAt, ...rest }: EndedRecord): object => rest
      const told = [completed, empty, long, failing.claim.jobId, cancelled].map((id) => {
        const record = ended.get(id)
        return record === undefined ? null : shape(record)
      })
      const nobody = { service: 'workers', host: 'mill-1', version: null }
      assert.deepEqual(told, [
        { state: 'completed', durationMs: 5, hasOutput: true, byHand: false, worker },
        { state: 'completed', durationMs: 5, hasOutput: false, byHand: false, worker },
        { state: 'completed', durationMs: 5, hasOutput: true, byHand: false, worker },
        { state: 'failed', durationMs: 7, hasOutput: false, byHand: false, worker: nobody },
        { state: 'cancelled', durationMs: null, hasOutput: false, byHand: false, worker: null },
      ])
      assert.deepEqual(ended.get(completed)?.type, 'map.export')
      assert.equal(ended.get(completed)?.endedAt, (await bench.details(completed)).finishedAt)
    })

    test('tells which jobs were driven by hand', async (t) => {
      const bench = await openBench(t, open)
      await bench.register(ONE_PHASE)
      const claim = await bench.byHand(await bench.add())
      await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '1' }, { byHand: { lockMs: null } })
      assert.equal(byJob((await evidenceOf(bench)).ended).get(claim.jobId)?.byHand, true)
    })

    test('the output of a job of several phases is the result of its last', async (t) => {
      const bench = await openBench(t, open)
      const ids: string[] = []
      for (const last of ['null', '"stored"']) {
        const { claim } = await bench.running({ policy: THREE_PHASES })
        for (const result of ['1', '2', last]) await bench.must(CHECKPOINT, claim, { progress: 0 }, { result })
        await bench.must(COMPLETE, claim)
        ids.push(claim.jobId)
      }
      const ended = byJob((await evidenceOf(bench)).ended)
      assert.deepEqual(
        ids.map((id) => ended.get(id)?.hasOutput),
        [false, true],
      )
    })

    test('is bounded: the latest of each type and final state, however many of another have ended since', async (t) => {
      const bench = await openBench(t, open)
      const { claim: rare } = await bench.running({ type: 'rare' })
      await bench.must(COMPLETE_ONLY_PHASE, rare, { output: '1' })
      await complete(bench, '1')
      const kept = [await complete(bench, '1'), await complete(bench, '1')]
      const { ended } = await evidenceOf(bench, 2)
      assert.deepEqual(ended.map(({ jobId }) => jobId).toSorted(), [rare.jobId, ...kept].toSorted())
    })

    test('keeps which entities are unfinished, until they are finished', async (t) => {
      const bench = await openBench(t, open)
      const [one, two] = [await complete(bench, '1'), await complete(bench, '1')]
      const note = (jobId: string, status: string | null): Promise<void> =>
        bench.store.jobTypes.noteEntities([{ jobId, status }])
      await bench.store.jobTypes.noteEntities([
        { jobId: one, status: 'DRAFT' },
        { jobId: two, status: 'PROCESSING' },
        { jobId: '019b7613-6800-7000-8000-00000000dead', status: 'PROCESSING' },
      ])
      await note(one, 'PROCESSING')
      const { finishedAt: endedAt, type } = await bench.details(one)
      const { entities } = await evidenceOf(bench)
      assert.deepEqual(
        entities.find(({ jobId }) => jobId === one),
        { jobId: one, type, endedAt, status: 'PROCESSING' },
      )
      assert.equal(entities.length, 2)
      await note(one, null)
      const left = await evidenceOf(bench)
      assert.deepEqual(
        left.entities.map(({ jobId }) => jobId),
        [two],
      )
    })

    test('of a job that runs again no entity is told, and a note that nobody renews is dropped', async (t) => {
      const bench = await openBench(t, open)
      const [one, two] = [await complete(bench, '1'), await complete(bench, '1')]
      await bench.store.jobTypes.noteEntities([one, two].map((jobId) => ({ jobId, status: 'PROCESSING' })))
      await bench.renew(RETRY, one)
      assert.deepEqual(
        (await evidenceOf(bench)).entities.map(({ jobId }) => jobId),
        [two],
      )
      bench.advance(ENTITY_NOTE_MS)
      assert.deepEqual((await evidenceOf(bench)).entities, [])
      await bench.store.jobTypes.noteEntities([])
      assert.deepEqual((await evidenceOf(bench)).entities, [])
    })
  })
}
