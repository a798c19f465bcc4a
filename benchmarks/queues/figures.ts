/** From the raw figures of the runs to medians, spreads and ratios. */
import type { Entry, Measure } from './measures/measure.ts'
import type { Run, Summary } from './results.ts'

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((left, right) => left - right)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  if (sorted.length % 2 === 1) return upper
  return ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** The smallest of the numbers that at least that share of them does not exceed. */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((left, right) => left - right)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

export function sameEntry(a: Entry, b: Entry): boolean {
  return a.contender === b.contender && a.settings === b.settings && a.variant === b.variant
}

/** A summary of every figure that the runs of a measure have noticed, row by row. */
export function summarize(measure: Measure, allRuns: readonly Run[]): Summary[] {
  const runs = allRuns.filter((run) => run.measure === measure.name)
  return measure.entries.flatMap((entry) => {
    const own = runs.filter((run) => sameEntry(run, entry))
    const base = measure.base(entry)
    const others = sameEntry(base, entry) ? [] : runs.filter((run) => sameEntry(run, base))
    const keys = Object.keys(own[0]?.figures ?? {})
    return keys.map((figure) => ({ ...entry, measure: measure.name, figure, ...summaryOf(figure, own, others) }))
  })
}

function summaryOf(
  figure: string,
  own: readonly Run[],
  base: readonly Run[],
): Pick<Summary, 'median' | 'min' | 'max' | 'ratio'> {
  const numbers = own.map((run) => run.figures[figure] ?? Number.NaN)
  return {
    median: median(numbers),
    min: Math.min(...numbers),
    max: Math.max(...numbers),
    ratio: medianRatio(figure, own, base),
  }
}

/** Two runs of one round met the machine in much the same mood; their ratio says more than that of two medians. */
function medianRatio(figure: string, own: readonly Run[], base: readonly Run[]): number | null {
  const ratios = own.flatMap((run) => {
    const other = base.find(({ round }) => round === run.round)?.figures[figure]
    const mine = run.figures[figure]
    return other === undefined || mine === undefined ? [] : [mine / other]
  })
  return ratios.length === 0 ? null : median(ratios)
}
