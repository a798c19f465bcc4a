/** Many worlds, one after another, and what was seen in all of them together. */
import { Probes } from './probes.ts'
import { runWorld } from './world.ts'
import type { WorldReport } from './world.ts'

export interface SeedsOptions {
  readonly from: number
  readonly count: number
  readonly acts?: number
  /** Told after each world. */
  readonly onWorld?: (report: WorldReport) => void
}

export interface SeedsReport {
  readonly worlds: number
  readonly steps: number
  readonly jobs: number
  readonly probes: Probes
  /** Worlds in which something did not hold. */
  readonly failed: readonly WorldReport[]
}

export async function runSeeds({ from, count, acts, onWorld }: SeedsOptions): Promise<SeedsReport> {
  const probes = new Probes()
  const failed: WorldReport[] = []
  let steps = 0
  let jobs = 0
  for (let seed = from; seed < from + count; seed += 1) {
    const report = await runWorld({ seed, ...(acts === undefined ? {} : { acts }) })
    probes.add(report.probes)
    steps += report.steps
    jobs += report.jobs
    if (report.violation !== null) failed.push(report)
    onWorld?.(report)
  }
  return { worlds: count, steps, jobs, probes, failed }
}

/** What did not hold, where, and how to see it again. */
export function tellFailure({ seed, violation }: WorldReport, acts?: number): string {
  if (violation === null) return `seed ${seed}: everything held`
  const { invariant, facts, step, atMs } = violation
  const more = acts === undefined ? '' : ` --acts ${acts}`
  return [
    `seed ${seed}, step ${step}, after ${atMs} ms of its time: it does not hold that ${invariant}`,
    `    ${facts}`,
    `    replay it line by line: npm run simulate -- --seed ${seed}${more}`,
  ].join('\n')
}
