/** Cancelling all jobs that match, a batch at a time, while they move. */
import { InvalidInputError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { Refusal } from '../core/plan.ts'
import { CANCEL, CANCEL_WAITING } from '../core/plans.ts'
import { isFinal, UNFINISHED_STATES } from '../core/states.ts'
import type { JobState } from '../core/states.ts'
import type { PlanResult } from '../store/claims.ts'
import type { JobFilter } from '../store/jobs.ts'
import { actOf, cancelValues, refused } from './act-on-job.ts'
import type { CancelOptions } from './act-on-job.ts'
import type { Asker } from './asker.ts'
import { checkBoolean, checkOptions, checkWhole } from './option-values.ts'
import { filterOf, KNOWN_FILTER } from './read-jobs.ts'
import type { JobFilterOptions } from './read-jobs.ts'

export interface CancelManyOptions extends CancelOptions {
  /** Only say how many there are. Default false. */
  readonly preview?: boolean
  /** At most this many, newest first. Default: all that match. Counts nothing down in a preview. */
  readonly limit?: number
}

/** How many match, of those that can be cancelled. Nothing was changed. */
export interface CancelPreview {
  readonly preview: true
  /** Scheduled, queued, retrying. */
  readonly waiting: number
  readonly running: number
}

/** What became of the jobs that matched. Each is counted once. */
export interface CancelledMany {
  readonly preview: false
  /** Waited, and are cancelled. */
  readonly cancelled: number
  /** Run, and were told to stop. */
  readonly stopping: number
  /** Run, and had been told before. */
  readonly alreadyStopping: number
  /** Ended between the look and the act. */
  readonly alreadyFinal: number
  /** Had begun to run, which was not among the states asked for; or were deleted. */
  readonly skipped: number
  /** The limit was reached, and there may be more. */
  readonly more: boolean
}

type Tally = { -readonly [Name in Exclude<keyof CancelledMany, 'preview' | 'more'>]: number }

const KNOWN_OPTIONS: Readonly<Record<keyof CancelManyOptions, true>> = {
  actor: true,
  reason: true,
  preview: true,
  limit: true,
}

export async function cancelManyJobs(
  asker: Asker,
  given: JobFilterOptions,
  options: CancelManyOptions,
): Promise<CancelPreview | CancelledMany> {
  const filter = checkFilter(given)
  const { preview = false, limit = Number.MAX_SAFE_INTEGER, ...why } = checkOptions(options, KNOWN_OPTIONS, 'options')
  checkBoolean(preview, 'preview')
  checkWhole(limit, { path: 'limit', least: 1, most: Number.MAX_SAFE_INTEGER })
  const values = cancelValues(asker, why)
  if (preview) return countThem(asker, filter)
  // Whoever asks for waiting jobs alone does not want to stop one that has started meanwhile.
  const plan = filter.states.includes('running') ? CANCEL : CANCEL_WAITING
  return cancelThem(asker, filter, {
    limit,
    act: (jobId) => asker.store.claims.apply(actOf(asker, jobId, plan, values)),
  })
}

type CheckedFilter = JobFilter & { readonly states: readonly JobState[] }

/** @throws InvalidInputError for one that says nothing, and for states in which nothing can be cancelled */
function checkFilter(given: JobFilterOptions): CheckedFilter {
  const filter = filterOf(checkOptions(given, KNOWN_FILTER, 'filter'))
  if (Object.keys(filter).length === 0) {
    throw new InvalidInputError({
      path: 'filter',
      expected: `at least one condition; for all jobs name the states: ${UNFINISHED_STATES.join(', ')}`,
      received: 'none',
    })
  }
  const { states = UNFINISHED_STATES } = filter
  const final = states.find(isFinal)
  if (final === undefined) return { ...filter, states }
  const expected = `states of jobs that are not over: ${UNFINISHED_STATES.join(', ')}`
  throw new InvalidInputError({ path: 'state', expected, received: final })
}

async function countThem({ store, scope }: Asker, filter: CheckedFilter): Promise<CancelPreview> {
  const { scheduled, queued, retrying, running } = await store.jobs.counts({ ...filter, scope })
  return { preview: true, waiting: scheduled + queued + retrying, running }
}

interface Cancelling {
  readonly limit: number
  readonly act: (jobId: string) => Promise<PlanResult>
}

/** From the newest to the oldest, each job once: what is enqueued meanwhile is newer than where it began. */
async function cancelThem(
  { store, scope }: Asker,
  filter: CheckedFilter,
  { limit, act }: Cancelling,
): Promise<CancelledMany> {
  const tally: Tally = { cancelled: 0, stopping: 0, alreadyStopping: 0, alreadyFinal: 0, skipped: 0 }
  let left = limit
  let after: string | null = null
  do {
    const page = await store.jobs.list({ ...filter, scope, limit: Math.min(left, LIMITS.listPage), after })
    // They arrive together, so they share a commit.
    const results = await Promise.all(page.jobs.map(async ({ id }) => ({ id, result: await act(id) })))
    for (const { id, result } of results) tally[outcomeOf(id, result)] += 1
    left -= page.jobs.length
    after = page.next
  } while (after !== null && left > 0)
  return { preview: false, ...tally, more: after !== null }
}

function outcomeOf(jobId: string, result: PlanResult): keyof Tally {
  if (result.applied) return result.row.state === 'running' ? 'stopping' : 'cancelled'
  if (result.refusal === 'already' && result.row?.state === 'running') return 'alreadyStopping'
  const outcome = LEFT_ALONE[result.refusal]
  if (outcome === undefined) throw refused(result, jobId, 'cancelled')
  return outcome
}

/** A job that matched, and has moved since. */
const LEFT_ALONE: Readonly<Partial<Record<Refusal | 'artifact-exists', keyof Tally>>> = {
  already: 'alreadyFinal',
  final: 'alreadyFinal',
  'not-waiting': 'skipped',
  'not-found': 'skipped',
}
