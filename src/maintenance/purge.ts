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

/** From the latest back, counted type by type. */
async function purgeExcess(purge: Purge): Promise<number> {
  const kept = new Map<string, number>()
  return walk(purge, 'newest', null, ({ type }) => {
    const { count } = purge.ruleOf(type)
    const before = kept.get(type) ?? 0
    if (count !== null && before >= count) return true
    kept.set(type, before + 1)
    return false
  })
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
