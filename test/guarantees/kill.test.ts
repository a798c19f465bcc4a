/**
 * Processes are killed at any moment (SIGKILL: no code of theirs runs any more), and nothing that was acknowledged is lost, done twice, or
 * left half done. The moments come from a seed, which is printed; MILLRACE_SEED=<seed> chooses them again.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import { seededWords } from '../../src/runtime/seeded-random.ts'
import type { ChildProgram } from '../support/child-program.ts'
import { freezeUntilLost } from '../support/freeze-process.ts'
import { assertAccounts, readAll } from '../support/mill-accounts.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { readLines } from '../support/read-lines.ts'
import { scaled } from '../support/scale.ts'
import { seedOf } from '../support/seed.ts'
import { grain, mouldy, sack } from './programs/mill-jobs.ts'
import type { Effect } from './programs/mill-jobs.ts'

const KILLS = scaled(50)
const WORKERS = 3
/** Phases that a worker begins before it is killed: 1 to this many. */
const LONGEST_LIFE = 80
/** Jobs that the parent and the producer each enqueue after a kill. */
const BATCH = 35
/** One worker of so many is stopped until its jobs have been taken over, and then goes on for a while before it is killed. */
const FROZEN_EVERY = 3
/** Every so many kills the producer is killed too. */
const PRODUCER_EVERY = 5
const LEASE = '400ms'
const SWEEP_MS = 60

test('what was acknowledged is done exactly once, however often workers and producers are killed', async (context) => {
  const random = seededWords(seedOf(context))
  const opened = await openTestMill(context)
  const { mill, folder, start, sweepEvery } = opened
  const effects = join(folder, 'effects.jsonl')
  const acknowledgedByChild = join(folder, 'acknowledged.txt')
  const acknowledged: string[] = []
  sweepEvery(SWEEP_MS)

  const enqueue = async (): Promise<void> => {
    const items = Array.from({ length: BATCH }, (_none, n) => {
      const input = { flaky: random() % 4 === 0, slow: random() % 6 === 0 }
      return { definition: [grain, grain, grain, sack, mouldy][n % 5] ?? grain, input }
    })
    const results = await mill.enqueueMany(items)
    acknowledged.push(...results.map(({ job }) => job.id))
  }
  const startWorker = (): ChildProgram =>
    start('mill-worker', { effects, options: { concurrency: 4, lease: LEASE, drain: '1s' } })
  const startProducer = async (): Promise<ChildProgram> => {
    const started = start('mill-producer', { acknowledged: acknowledgedByChild, batch: BATCH })
    await started.hear('ready')
    return started
  }

  let frozen = 0
  const wakeLate = async (worker: ChildProgram, nth: number): Promise<void> => {
    await freezeUntilLost(worker, mill)
    worker.signal('SIGCONT')
    frozen += 1
    // It has woken up: what it writes of its old jobs is late, and then it takes new ones.
    await worker.hear('entered', { nth: nth + 5 })
  }

  let producer = await startProducer()
  let kills = 0
  const killOverAndOver = async (): Promise<void> => {
    while (kills < KILLS) {
      const worker = startWorker()
      producer.tell('produce')
      await enqueue()
      const nth = 1 + (random() % LONGEST_LIFE)
      await worker.hear('entered', { nth })
      if (random() % FROZEN_EVERY === 0) await wakeLate(worker, nth)
      await worker.kill()
      kills += 1
      if (kills % PRODUCER_EVERY !== 0) continue
      await producer.kill()
      producer = await startProducer()
    }
  }
  const begunAt = performance.now()
  await Promise.all(Array.from({ length: WORKERS }, () => killOverAndOver()))
  await producer.kill()
  const killedAfter = performance.now() - begunAt

  const survivors = [startWorker(), startWorker()]
  acknowledged.push(...readLines(acknowledgedByChild))
  for (const id of acknowledged) await mill.waitFor(id, { timeout: '1m' })
  const jobs = await readAll(mill)
  for (const { id } of jobs) await mill.waitFor(id, { timeout: '1m' })
  for (const survivor of survivors) await survivor.kill()
  context.diagnostic(
    `${kills} workers killed, ${frozen} of them woken up too late before, in ${(killedAfter / 1_000).toFixed(1)} s, all over after ` +
      `${((performance.now() - begunAt) / 1_000).toFixed(1)} s; ${acknowledged.length} jobs acknowledged, ${jobs.length} stored`,
  )

  const accounted = await assertAccounts(opened, {
    acknowledged,
    effects: readLines(effects).map((line) => JSON.parse(line) as Effect),
  })
  const lost = accounted.flatMap(({ attempts }) => attempts.filter(({ outcome }) => outcome === 'lost'))
  assert.ok(lost.length >= KILLS, `${KILLS} killed workers must have lost attempts, not ${lost.length}`)
})
