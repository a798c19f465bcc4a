/** Deletes jobs that have been kept for as long as their rules say, in small transactions between which everybody else gets his turn. */
import { latestExpiredEnd, purgeBatches, retentionRule } from '../core/retention.ts'
import type { Retention, RetentionRule } from '../core/retention.ts'
import { FINAL_STATES } from '../core/states.ts'
import type { FinalState } from '../core/states.ts'
import type { FinishedJob } from '../store/retention.ts'
import type { Store } from '../store/store.ts'

export interface PurgeOptions {
  readonly store: Store
  /** For what types don't say themselves. */
  readonly retention: Retention
  /** Asked between two transactions. */
  readonly isStopping: () => boolean
  /** Told where bytes of artifacts are that nothing refers to any more. */
  readonly onPaths: (paths: readonly string[]) => Promise<void>
}

interface Purge extends PurgeOptions {
  readonly type: string
  readonly state: FinalState
  readonly rule: RetentionRule
  readonly now: number
}

const PAGE_JOBS = 1_000

/** @returns how many were deleted */
export async function purgeExpired(options: PurgeOptions): Promise<number> {
  const { store, retention } = options
  const [now, types] = await Promise.all([store.now(), store.jobTypes.list()])
  let deleted = 0
  for (const { type, policy } of types) {
    for (const state of FINAL_STATES) {
      const purge = { ...options, type, state, rule: retentionRule(policy.retention, retention, state), now }
      deleted += (await purgeOld(purge)) + (await purgeExcess(purge))
    }
  }
  return deleted
}

async function purgeOld(purge: Purge): Promise<number> {
  const until = latestExpiredEnd(purge.rule, purge.now)
  return until === null ? 0 : walk(purge, 'oldest', until, ({ finishedAt }) => finishedAt <= until)
}

/** Those after which as many ended as are to be kept. Looks twice: a store need not tell them in the order of their ends. */
async function purgeExcess(purge: Purge): Promise<number> {
  const { count } = purge.rule
  if (count === null) return 0
  const ends = await latestEnds(purge, count)
  const least = count === 0 ? Number.POSITIVE_INFINITY : ends[count - 1]
  if (least === undefined) return 0
  /** How many that ended at that moment are still to be kept. */
  let ofLeast = ends.filter((end) => end === least).length
  return walk(purge, 'newest', null, ({ finishedAt }) => {
    if (finishedAt > least) return false
    if (finishedAt < least || ofLeast === 0) return true
    ofLeast -= 1
    return false
  })
}

/** The latest first, so many at the most. */
async function latestEnds({ store, type, state, isStopping }: Purge, count: number): Promise<readonly number[]> {
  let ends: readonly number[] = []
  let after: string | null = null
  do {
    const page = await store.retention.finished({ type, state, from: 'newest', until: null, limit: PAGE_JOBS, after })
    const all = [...ends, ...page.jobs.map(({ finishedAt }) => finishedAt)]
    ends = all.toSorted((left, right) => right - left).slice(0, count)
    after = page.next
  } while (after !== null && !isStopping())
  return ends
}

async function walk(
  { store, type, state, isStopping, onPaths }: Purge,
  from: 'oldest' | 'newest',
  until: number | null,
  isDoomed: (job: FinishedJob) => boolean,
): Promise<number> {
  let deleted = 0
  let after: string | null = null
  do {
    const page = await store.retention.finished({ type, state, from, until, limit: PAGE_JOBS, after })
    for (const batch of purgeBatches(page.jobs.filter(isDoomed))) {
      if (isStopping()) return deleted
      const { jobs, paths } = await store.retention.purge(batch)
      deleted += jobs.length
      await onPaths(paths)
    }
    after = page.next
  } while (after !== null && !isStopping())
  return deleted
}
