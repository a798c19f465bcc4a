/** Deletes jobs that have been kept for as long as their rules say, in small transactions between which everybody else gets his turn. */
import { isExpired, latestExpiredEnd, purgeBatches, retentionRule } from '../core/retention.ts'
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
  readonly state: FinalState
  readonly now: number
  readonly ruleOf: (type: string) => RetentionRule
}

const PAGE_JOBS = 1_000

/** @returns how many were deleted */
export async function purgeExpired(options: PurgeOptions): Promise<number> {
  const { store, retention } = options
  const [now, types] = await Promise.all([store.now(), store.jobTypes.list()])
  let deleted = 0
  for (const state of FINAL_STATES) {
    const rules = new Map(
      types.map(({ type, policy }) => [type, retentionRule(policy.retention, retention, state)] as const),
    )
    const purge: Purge = { ...options, state, now, ruleOf: (type) => rules.get(type) ?? retention[state] }
    const all = [...rules.values(), retention[state]]
    const until = latestExpiredEnd(all, now)
    if (until !== null) deleted += await purgeOld(purge, until)
    if (all.some(({ count }) => count !== null)) deleted += await purgeExcess(purge)
  }
  return deleted
}

async function purgeOld(purge: Purge, until: number): Promise<number> {
  const { now, ruleOf } = purge
  return walk(purge, 'oldest', until, (job) => isExpired(ruleOf(job.type), job.finishedAt, now))
}

/** Those of which as many of their type ended later as are to be kept. Looks twice: a store need not tell them in the order of their ends. */
async function purgeExcess(purge: Purge): Promise<number> {
  const kept = new Map<string, Kept>()
  for (const [type, ends] of await latestEnds(purge)) {
    const { count } = purge.ruleOf(type)
    const least = count === 0 ? Number.POSITIVE_INFINITY : ends[(count ?? 0) - 1]
    if (count === null || least === undefined) continue
    kept.set(type, { least, ofLeast: ends.slice(0, count).filter((end) => end === least).length })
  }
  if (kept.size === 0) return 0
  return walk(purge, 'newest', null, ({ type, finishedAt }) => {
    const bound = kept.get(type)
    if (bound === undefined || finishedAt > bound.least) return false
    if (finishedAt < bound.least || bound.ofLeast === 0) return true
    bound.ofLeast -= 1
    return false
  })
}

interface Kept {
  /** The earliest end that is kept. */
  readonly least: number
  /** How many that ended at that moment are still to be kept. */
  ofLeast: number
}

/** Of each type of which so many are kept, the ends of at least so many, the latest first. */
async function latestEnds({
  store,
  state,
  ruleOf,
  isStopping,
}: Purge): Promise<ReadonlyMap<string, readonly number[]>> {
  const byType = new Map<string, number[]>()
  let after: string | null = null
  do {
    const page = await store.retention.finished({ state, from: 'newest', until: null, limit: PAGE_JOBS, after })
    for (const [type, jobs] of Map.groupBy(page.jobs, (job) => job.type)) {
      const { count } = ruleOf(type)
      if (count === null) continue
      const ends = [...(byType.get(type) ?? []), ...jobs.map(({ finishedAt }) => finishedAt)]
      byType.set(type, ends.toSorted((left, right) => right - left).slice(0, Math.max(count, 1)))
    }
    after = page.next
  } while (after !== null && !isStopping())
  return byType
}

async function walk(
  { store, state, isStopping, onPaths }: Purge,
  from: 'oldest' | 'newest',
  until: number | null,
  isDoomed: (job: FinishedJob) => boolean,
): Promise<number> {
  let deleted = 0
  let after: string | null = null
  do {
    const page = await store.retention.finished({ state, from, until, limit: PAGE_JOBS, after })
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
