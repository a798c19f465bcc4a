/**
 * The world of the model checker: one job, two workers, a sweeper, people, and a rival job for the unique key.
 *
 * Beside the row it holds what really happened (`results`, `finals`, `tenure`, `rivalHoldsKey`), kept by the checker itself and never
 * read by a plan: the properties compare the row with it.
 */
import type { Claim, JobRow } from '../../../src/core/job-row.ts'

export interface Bounds {
  readonly phaseCount: number
  readonly maxAttempts: number
  readonly maxStrikes: number
  /** Retries and resets of a final job stop when this many generations have been lived. */
  readonly generations: number
  /** Null: attempts have no deadline. */
  readonly timeoutMs: number | null
}

/** A handler that believes that it works on the job, rightly or not. */
export interface Handler {
  readonly claim: Claim
  readonly phase: number
  readonly failures: number
}

export interface WorkerProcess {
  /** Key of its session. */
  readonly holder: number
  /** `expired`: the lease has run out, but the process goes on. */
  readonly health: 'alive' | 'expired' | 'crashed'
}

/** What a person saw of the job before making up their mind. */
export interface Sighting {
  readonly generation: number
  readonly fence: number
  readonly phase: number
}

export interface World {
  readonly now: number
  readonly row: JobRow
  /** The phase each kept result was really made in. */
  readonly results: readonly number[]
  /** Events that were told. */
  readonly told: number
  /** Final events of the present generation. */
  readonly finals: number
  /** Whether a claim really holds the job, by what was done and not by what the row says. */
  readonly held: boolean
  readonly workers: readonly WorkerProcess[]
  /** The handler of the claim that really holds the job; null: there is no such claim, or its process has crashed. */
  readonly handler: Handler | null
  /**
   * A handler that goes on although its claim has ended. One is enough: what it writes must change nothing, so no two of them can have to
   * do with each other. The latest is the most dangerous.
   */
  readonly leftover: Handler | null
  /** The claim that the sweeper found fault with. */
  readonly sweeper: Claim | null
  readonly person: Sighting | null
  readonly rivalHoldsKey: boolean
}

const START = 1_000_000
export const DELAY_MS = 100_000

function newRow(bounds: Bounds): JobRow {
  return {
    id: 'job',
    tenant: 'acme',
    owner: 'ann',
    state: 'queued',
    runAt: START,
    attempt: 0,
    failures: 0,
    strikes: 0,
    suspect: false,
    fence: 0,
    generation: 1,
    holder: null,
    phase: 0,
    phaseCount: bounds.phaseCount,
    phaseStartedAt: null,
    progress: 0,
    createdAt: START,
    startedAt: null,
    finishedAt: null,
    deadlineAt: null,
    cancelRequestedAt: null,
    cancelledBy: null,
    cancelReason: null,
    uniqueKey: 'one-at-a-time',
    eventSeq: 1,
  }
}

/** A job that was just enqueued: to start at once, or later. */
export function firstWorlds(bounds: Bounds): readonly World[] {
  const row = newRow(bounds)
  const world: World = {
    now: START,
    row,
    results: [],
    told: 1,
    finals: 0,
    held: false,
    workers: [
      { holder: 1, health: 'alive' },
      { holder: 2, health: 'alive' },
    ],
    handler: null,
    leftover: null,
    sweeper: null,
    person: null,
    rivalHoldsKey: false,
  }
  return [world, { ...world, row: { ...row, state: 'scheduled', runAt: START + DELAY_MS } }]
}

/**
 * One text for worlds that differ in nothing that matters. Instants count as come or not come, fences and generations as equal to the
 * job's or not: a claim that is behind stays behind, because the fence never falls (which is checked on every step). The two workers are
 * alike, so worlds that differ in their names are one.
 */
export function keyOf(world: World): string {
  const workers = world.workers.map((worker) => workerKey(world, worker)).toSorted()
  const facts = [
    world.finals,
    world.results.join(''),
    world.handler?.phase,
    Number(world.rivalHoldsKey),
    Number(world.sweeper !== null),
  ]
  return `${rowKey(world)} ${facts.join()} ${personKey(world)} ${workers.join(' ')}`
}

function rowKey({ row, now, held }: World): string {
  const flags = [
    row.runAt > now,
    row.suspect,
    row.holder !== null,
    held,
    row.attempt > 0,
    row.startedAt === null,
    row.phaseStartedAt === null,
    row.finishedAt === null,
    row.cancelRequestedAt === null,
  ]
  const bits = flags.reduce((sum, flag) => sum * 2 + Number(flag), 0)
  const deadline = row.deadlineAt === null ? 'n' : Number(row.deadlineAt > now)
  return [row.state, bits, row.failures, row.strikes, row.generation, row.phase, row.progress, deadline].join()
}

function personKey({ row, person }: World): string {
  if (person === null) return '-'
  const sameLife = Number(person.generation === row.generation)
  return `${sameLife}${Number(person.fence === row.fence)}${person.phase}`
}

function workerKey({ row, sweeper, handler, leftover }: World, { holder, health }: WorkerProcess): string {
  const seen = claimKey(row, holder, sweeper)
  const past = claimKey(row, holder, leftover?.claim ?? null)
  return `${health}${Number(row.holder === holder)}${Number(handler?.claim.holder === holder)}${seen}${past}`
}

function claimKey(row: JobRow, holder: number, claim: Claim | null): string {
  if (claim === null || claim.holder !== holder) return '-'
  return claim.fence === row.fence ? '=' : '<'
}
