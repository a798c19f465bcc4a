/**
 * Processes are killed and stopped at any moment (SIGKILL: no code of theirs runs any more; SIGSTOP: it goes on later, too late even), and
 * nothing that was acknowledged is lost, done twice, done by two at once, or written by whoever has lost it. Afterwards the whole log is
 * compared with what handlers noted outside. The moments come from a seed, which is printed; MILLRACE_SEED=<seed> chooses them again.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import { seededWords } from '../../src/runtime/seeded-random.ts'
import type { ChildProgram } from '../support/child-program.ts'
import { freezeUntilLost } from '../support/freeze-process.ts'
import { assertAccounts, readAll, readEffects } from '../support/mill-accounts.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { readLines } from '../support/read-lines.ts'
import { scaled } from '../support/scale.ts'
import { seedOf } from '../support/seed.ts'
import { take } from '../support/wait-for-event.ts'
import { grain, mouldy, sack } from './programs/mill-jobs.ts'

const KILLS = scaled(9)
const WORKERS = 3
/** Phases that a worker begins before it is killed: 1 to this many. */
const LONGEST_LIFE = 80
/** Jobs that the parent and the producer each enqueue after a kill. */
const BATCH = 22
/**
 * What comes before a worker is killed, one after the other. `late`: it is stopped until its jobs have been taken over, and then goes on for a
 * while. `stutter`: it is stopped for less than its lease, and goes on. `stopped`: it is killed while it is stopped.
 */
const FATES = ['late', 'none', 'stutter', 'late', 'none', 'stopped'] as const
/** Every so many kills the producer is killed too. */
const PRODUCER_EVERY = 5
const LEASE = '400ms'
const SWEEP_MS = 60
/** Less than the lease. */
const STUTTER_MS = 150

test('what was acknowledged is done exactly once, however often workers and producers are killed', async (context) => {
  const random = seededWords(seedOf(context))
  const opened = await openTestMill(context)
  const { mill, folder, start, sweepEvery } = opened
  const effects = join(folder, 'effects')
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

  const counts = { late: 0, none: 0, stutter: 0, stopped: 0 }
  let begun = 0
  const wakeLate = async (worker: ChildProgram, nth: number): Promise<void> => {
    await freezeUntilLost(worker, mill)
    worker.signal('SIGCONT')
    // It has woken up: what it writes of its old jobs is late, and then it takes new ones.
    await worker.hear('entered', { nth: nth + 5 })
  }

  const meetFate = async (worker: ChildProgram, nth: number): Promise<void> => {
    const fate = FATES[begun++ % FATES.length] ?? 'none'
    counts[fate] += 1
    if (fate === 'late') await wakeLate(worker, nth)
    if (fate === 'stutter' || fate === 'stopped') worker.signal('SIGSTOP')
    if (fate !== 'stutter') return
    await take(random() % STUTTER_MS)
    worker.signal('SIGCONT')
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
      await meetFate(worker, nth)
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
    `${kills} workers killed, ${counts.late} of them woken up too late before, ${counts.stutter} stopped for a moment, ${counts.stopped} killed ` +
      `while stopped, in ${(killedAfter / 1_000).toFixed(1)} s, all over after ` +
      `${((performance.now() - begunAt) / 1_000).toFixed(1)} s; ${acknowledged.length} jobs acknowledged, ${jobs.length} stored`,
  )

  const accounted = await assertAccounts(opened, {
    acknowledged,
    effects: readEffects(effects),
  })
  const lost = accounted.flatMap(({ attempts }) => attempts.filter(({ outcome }) => outcome === 'lost'))
  assert.ok(lost.length >= KILLS, `${KILLS} killed workers must have lost attempts, not ${lost.length}`)
})
