import { bulk } from './bulk.ts'
import { callers } from './callers.ts'
import { drain } from './drain.ts'
import type { Measure } from './measure.ts'
import { oneByOne } from './one-by-one.ts'

/** In the order in which they run. */
export const MEASURES: readonly Measure[] = [drain, callers, oneByOne, bulk]

export function findMeasure(name: string): Measure {
  const measure = MEASURES.find((known) => known.name === name)
  if (measure === undefined) throw new Error(`there is no measure "${name}"`)
  return measure
}
