/** Every job of the mill is accounted for: what was acknowledged is there, and everything that happened to it was accepted once. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import type { Job, JobEvent, JobList, ListedJob, ListOptions, Millrace } from '../../src/index.ts'
import { mouldy } from '../guarantees/programs/mill-jobs.ts'
import type { Effect, Mark } from '../guarantees/programs/mill-jobs.ts'
import { checkHistory, NO_FINDINGS } from './history-checker.ts'
import { assertDense, finalEvents, readLog } from './job-history.ts'
import type { TestMill } from './open-test-mill.ts'
import { readLines } from './read-lines.ts'

export interface Accounts {
  /** The ids of jobs whose enqueue was answered. */
  readonly acknowledged: readonly string[]
  /** What handlers have done, whatever the store made of it. */
  readonly effects: readonly Effect[]
}

/** Fails unless all jobs have ended as they should, once, and nobody holds any. Answers them. */
export async function assertAccounts(
  { mill, database, connect }: Pick<TestMill, 'mill' | 'database' | 'connect'>,
  { acknowledged, effects }: Accounts,
): Promise<readonly Job[]> {
  const jobs = new Map((await readAll(mill)).map((job) => [job.id, job]))
  assert.deepEqual(
    acknowledged.filter((id) => !jobs.has(id)),
    [],
    'acknowledged jobs that are not there',
  )
  const log = await readLog(mill)
  const events = Map.groupBy(log, ({ jobId }) => jobId)
  const accepted = [...jobs.values()].flatMap((job) => acceptedMarks(job).map((mark) => ({ jobId: job.id, ...mark })))
  assert.deepEqual(checkHistory({ acknowledged, events: log, notes: effects, accepted }), NO_FINDINGS)
  const effectsOf = Map.groupBy(effects, ({ jobId }) => jobId)
  for (const job of jobs.values()) {
    assertEnded(job)
    assertHistory(job, events.get(job.id) ?? [])
    assertEffects(job, effectsOf.get(job.id) ?? [])
  }
  await database.assertSound()
  const { rows } = await connect()
  const twice = `SELECT job, seq FROM ${database.table('events')} GROUP BY job, seq HAVING count(*) > 1`
  assert.deepEqual(await rows(twice), [])
  assert.deepEqual(await rows(`SELECT id FROM ${database.table('jobs')} WHERE holder IS NOT NULL`), [])
  return [...jobs.values()]
}

/** What handlers noted, of all processes. */
export function readEffects(folder: string): readonly Effect[] {
  if (!existsSync(folder)) return []
  const lines = readdirSync(folder).flatMap((file) => readLines(join(folder, file)))
  return lines.map((line) => JSON.parse(line) as Effect)
}

/** Every job that is stored, whole. */
export async function readAll(mill: Millrace): Promise<readonly Job[]> {
  const jobs = await listAll(mill)
  return Promise.all(jobs.map((job) => mill.get(job)))
}

export async function listAll(mill: Millrace, filter: ListOptions = {}): Promise<readonly ListedJob[]> {
  const listed: ListedJob[] = []
  let after: string | null = null
  do {
    const page: JobList = await mill.list({ ...filter, limit: 500, ...(after === null ? {} : { after }) })
    listed.push(...page.jobs)
    after = page.next
  } while (after !== null)
  return listed
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
  const ended = attempts.filter(({ outcome }) => outcome === 'lost' || outcome === 'failed' || outcome === 'released')
  const accounted = ended.length + (state === 'completed' ? 1 : 0)
  assert.equal(accounted, attempt, `every attempt at job ${id} is accounted for`)
}

/** Handlers of two claims may overlap, but of two that were in a phase only one was heard, and none after it was in that phase again. */
function assertEffects(job: Job, effects: readonly Effect[]): void {
  const { id, state, fence, phases, output } = job
  const accepted = acceptedMarks(job)
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

/** What was kept of the job: none, unless it was completed. */
function acceptedMarks({ state, phases, output }: Job): readonly Mark[] {
  if (state !== 'completed') return []
  return phases.length === 1 ? [output as Mark] : phases.map(({ result }) => result as Mark)
}
