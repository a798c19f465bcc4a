/** Many plan calls as they travel together: those that are alike are told by their jobs alone. */
import { wavesOf } from '../store/call-waves.ts'
import type { CallAnswer, PlanCall } from '../store/claims.ts'
import { MANY_ALIKE, areAlike, plainRow } from './alike-calls.ts'
import { isBare, packCall, unpackCall, unpackResult } from './packed-calls.ts'
import type { PackedCall, PackedResult } from './packed-calls.ts'
import { unpackError } from './packed-error.ts'
import type { PackedError } from './packed-error.ts'

/** Calls that differ in nothing but their jobs and the results of their phases. No job stands twice among them. */
export interface AlikeCalls {
  /** The first of them. */
  readonly call: PackedCall
  readonly rows: readonly number[]
  /** One behind the other: a text is posted faster than a list of texts. */
  readonly ids: string
  /** Null: no phase of several is done. */
  readonly results: readonly string[] | null
}

/** In the order in which they are to be carried out. */
export type PackedRuns = readonly (AlikeCalls | readonly PackedCall[])[]

export function packRuns(calls: readonly PlanCall[]): PackedRuns {
  const packed: (AlikeCalls | PackedCall[])[] = []
  for (const run of runsOf(calls)) {
    const last = packed.at(-1)
    if (run.length >= MANY_ALIKE) packed.push(alikeCalls(run))
    else if (Array.isArray(last)) last.push(...run.map(packCall))
    else packed.push(run.map(packCall))
  }
  return packed
}

/** Cut where a call differs from the one before it, and before a job's second call. */
function runsOf(calls: readonly PlanCall[]): readonly (readonly PlanCall[])[] {
  const runs: PlanCall[][] = []
  let run: PlanCall[] = []
  const jobs = new Set<string>()
  for (const call of calls) {
    const [first] = run
    if (first === undefined || jobs.has(call.jobId) || !mayTravelWith(first, call)) {
      runs.push((run = []))
      jobs.clear()
    }
    run.push(call)
    jobs.add(call.jobId)
  }
  return runs
}

function mayTravelWith(one: PlanCall, other: PlanCall): boolean {
  const sameLength = one.jobId.length === other.jobId.length
  const same = sameLength && one.plan === other.plan && one.detail === other.detail && areAlike(one, other)
  return same && isBare(one) && isBare(other) && plainRow(one) !== undefined && plainRow(other) !== undefined
}

function alikeCalls(run: readonly PlanCall[]): AlikeCalls {
  const [first] = run
  if (first === undefined) throw new RangeError('there is no call')
  const ids = run.map(({ jobId }) => jobId).join('')
  const rows = run.map(({ claim }) => claim?.row ?? 0)
  const results = first.result === undefined ? null : run.map(({ result }) => result ?? 'null')
  return { call: packCall(first), rows, ids, results }
}

export function unpackAlike({ call, rows, ids, results }: AlikeCalls): readonly PlanCall[] {
  const first = unpackCall(call)
  const { length } = first.jobId
  return rows.map((row, index) => {
    const jobId = ids.slice(index * length, (index + 1) * length)
    const claim = first.claim === null ? null : { ...first.claim, jobId, row }
    const result = results?.[index]
    return { ...first, jobId, claim, ...(result === undefined ? {} : { result }) }
  })
}

export function countCalls(runs: PackedRuns): number {
  return runs.reduce((count, run) => count + ('rows' in run ? run.rows.length : run.length), 0)
}

/** Each call by itself. */
export function singleCalls(runs: PackedRuns): readonly PackedRuns[] {
  return runs.flatMap((run) => ('rows' in run ? unpackAlike(run).map(packCall) : run).map((call) => [[call]]))
}

/** What came of one call, or why it could not be carried out. */
type PackedAnswer = PackedResult | { readonly failed: PackedError }

/** What came of a run: one result for all where it is the same. */
export type RunResults = readonly PackedAnswer[] | { readonly all: PackedResult; readonly count: number }

/** Of a single call its result alone: many such answers of one commit are mostly the same, and then told once. */
export type PackedResults = PackedAnswer | readonly RunResults[]

export function packResults(results: readonly RunResults[]): PackedResults {
  const [run, ...others] = results
  const [only, ...more] = run === undefined || 'all' in run ? [] : run
  return only !== undefined && others.length === 0 && more.length === 0 ? only : results
}

export function unpackResults(packed: PackedResults): readonly CallAnswer[] {
  if (!isList(packed)) return [unpackAnswer(packed)]
  return packed.flatMap((run): readonly CallAnswer[] =>
    'all' in run ? Array.from({ length: run.count }, () => unpackResult(run.all)) : run.map(unpackAnswer),
  )
}

function unpackAnswer(packed: PackedAnswer): CallAnswer {
  return typeof packed === 'object' && 'failed' in packed ? { error: unpackError(packed.failed) } : unpackResult(packed)
}

function isList(packed: PackedResults): packed is readonly RunResults[] {
  return Array.isArray(packed)
}

/**
 * The first calls on all jobs before the second ones, as far as jobs are called several times in a row: those are alike, and what is alike is
 * carried out together. The indices of the calls in that order; null: as they stand.
 */
export function inWaves(calls: readonly PlanCall[]): readonly number[] | null {
  if (!calls.some(({ jobId }, index) => jobId === calls[index - 1]?.jobId)) return null
  return wavesOf(calls).flat()
}
