/**
 * Processes are killed at any moment (SIGKILL: no code of theirs runs any more), and nothing that was acknowledged is lost, done twice, or
 * left half done. The moments come from a seed, which is printed; MILLRACE_SEED=<seed> chooses them again.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import type { Job, JobEvent, Millrace } from '../../src/index.ts'
import { seededWords } from '../../src/runtime/seeded-random.ts'
import type { ChildProgram } from '../support/child-program.ts'
import { freezeUntilLost } from '../support/freeze-process.ts'
import { assertDense, finalEvents, readLog } from '../support/job-history.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import type { TestMill } from '../support/open-test-mill.ts'
import { scaled } from '../support/scale.ts'
import { grain, mouldy, sack } from './programs/mill-jobs.ts'
import type { Effect, Mark } from './programs/mill-jobs.ts'

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
  const seed = Number(process.env['MILLRACE_SEED'] ?? `${Date.now() % 1_000_000}`)
  context.diagnostic(`MILLRACE_SEED=${seed}`)
  const random = seededWords(seed)
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

  await assertNothingLost(
    opened,
    acknowledged,
    readLines(effects).map((line) => JSON.parse(line) as Effect),
  )
})

function readLines(file: string): readonly string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
}

/** Every job that is stored, whole. */
async function readAll(mill: Millrace): Promise<readonly Job[]> {
  const ids: string[] = []
  let after: string | null = null
  do {
    const page = await mill.list({ limit: 500, ...(after === null ? {} : { after }) })
    ids.push(...page.jobs.map(({ id }) => id))
    after = page.next
  } while (after !== null)
  return Promise.all(ids.map((id) => mill.get(id)))
}

async function assertNothingLost(
  { mill, database, connect }: TestMill,
  acknowledged: readonly string[],
  effects: readonly Effect[],
): Promise<void> {
  const jobs = new Map((await readAll(mill)).map((job) => [job.id, job]))
  assert.deepEqual(
    acknowledged.filter((id) => !jobs.has(id)),
    [],
    'acknowledged jobs that are not there',
  )
  const events = Map.groupBy(await readLog(mill), ({ jobId }) => jobId)
  const effectsOf = Map.groupBy(effects, ({ jobId }) => jobId)
  for (const job of jobs.values()) {
    assertEnded(job)
    assertHistory(job, events.get(job.id) ?? [])
    assertEffects(job, effectsOf.get(job.id) ?? [])
  }
  const lost = [...jobs.values()].flatMap(({ attempts }) => attempts.filter(({ outcome }) => outcome === 'lost'))
  assert.ok(lost.length >= KILLS, `${KILLS} killed workers must have lost attempts, not ${lost.length}`)
  await database.assertSound()
  const { rows } = await connect()
  const twice = `SELECT job, seq FROM ${database.table('events')} GROUP BY job, seq HAVING count(*) > 1`
  assert.deepEqual(await rows(twice), [])
  assert.deepEqual(await rows(`SELECT id FROM ${database.table('jobs')} WHERE holder IS NOT NULL`), [])
}

function assertEnded(job: Job): void {
  const { id, type, state, failures, fence, attempt, strikes } = job
  assert.equal(state, type === mouldy.name ? 'failed' : 'completed', `job ${id} of ${type}`)
  if (type === mouldy.name) assert.equal(failures, 3, `failures of job ${id}`)
  assert.ok(fence >= attempt, `job ${id} has fence ${fence} and attempt ${attempt}`)
  assert.ok(strikes < 100)
}

/** What the log says of the job agrees with the job, and every acceptance is in it once. */
function assertHistory({ id, state, attempt, attempts, failures, phaseNames }: Job, events: readonly JobEvent[]): void {
  assertDense(events)
  assert.deepEqual(
    finalEvents(events).map(({ name }) => name),
    [`job:${state}`],
    `final events of job ${id}`,
  )
  const named = (name: string): readonly JobEvent[] => events.filter((event) => event.name === name)
  assert.equal(named('job:started').length, attempt, `starts of job ${id}`)
  assert.equal(named('job:retrying').length, state === 'failed' ? failures - 1 : failures, `retries of job ${id}`)
  assert.deepEqual(
    named('phase:completed').map(({ detail }) => detail['phase']),
    state === 'completed' && phaseNames.length > 1 ? phaseNames : [],
    `phases of job ${id}, each accepted once`,
  )
  const cutOff = attempts.filter(({ outcome }) => outcome === 'lost').length
  const failed = attempts.filter(({ outcome }) => outcome === 'failed').length
  assert.equal(
    cutOff + failed + (state === 'completed' ? 1 : 0),
    attempt,
    `every attempt at job ${id} is accounted for`,
  )
}

/** Handlers of two claims may overlap, but of two that were in a phase only one was heard, and none after it was in that phase again. */
function assertEffects(job: Job, effects: readonly Effect[]): void {
  const { id, state, fence, phases, output } = job
  const accepted = state === 'completed' ? acceptedMarks(job) : []
  accepted.forEach(({ phase, fence: at }, index) => {
    assert.equal(phase, phases[index]?.name)
    assert.ok(at <= fence, `job ${id} was accepted at ${at}, beyond its fence ${fence}`)
    assert.ok(index === 0 || at >= (accepted[index - 1]?.fence ?? 0), `fences of job ${id} fall`)
    const left = effects.filter((effect) => effect.phase === phase && effect.moment === 'leave')
    assert.equal(left.filter((effect) => effect.fence === at).length, 1, `${phase} of job ${id} was run at its fence`)
  })
  if (state === 'completed') assert.equal((output as Mark).fence, fence, `job ${id} was completed by its last claim`)
  for (const { phase, fence: at } of effects) {
    const index = accepted.findIndex((mark) => mark.phase === phase)
    const own = accepted[index]
    if (own === undefined) continue
    assert.ok(at <= own.fence, `${phase} of job ${id} was run again at ${at}, after it was accepted at ${own.fence}`)
    const before = accepted[index - 1]
    assert.ok(
      before === undefined || before.fence <= at,
      `${phase} of job ${id} ran before the phase before it was done`,
    )
  }
}

function acceptedMarks({ phases, output }: Job): readonly Mark[] {
  return phases.length === 1 ? [output as Mark] : phases.map(({ result }) => result as Mark)
}
