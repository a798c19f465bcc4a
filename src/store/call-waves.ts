/** Calls on one job keep their order, and between different jobs there is none to keep: so what is alike of different jobs may go together. */
import type { PlanCall } from './claims.ts'

/** The first calls on all jobs, then the second ones, and so on, by their indices; within each in the order of the calls. */
export function wavesOf(calls: readonly Pick<PlanCall, 'jobId'>[]): readonly (readonly number[])[] {
  const waves: number[][] = []
  const counts = new Map<string, number>()
  for (const [index, { jobId }] of calls.entries()) {
    const earlier = counts.get(jobId) ?? 0
    counts.set(jobId, earlier + 1)
    const wave = (waves[earlier] ??= [])
    wave.push(index)
  }
  return waves
}
