import { backlog } from './backlog.ts'
import { backlogPostgres } from './backlog-postgres.ts'
import { bulk } from './bulk.ts'
import { callers } from './callers.ts'
import { cancelForced } from './cancel-forced.ts'
import { cancelOther, cancelSame } from './cancel.ts'
import { drainTwo } from './drain-two.ts'
import { drain } from './drain.ts'
import { horizon } from './horizon.ts'
import { idle } from './idle.ts'
import { install } from './install.ts'
import { layers } from './layers.ts'
import type { Measure } from './measure.ts'
import { oneByOne } from './one-by-one.ts'
import { phases } from './phases.ts'
import { pickupOther, pickupSame } from './pickup.ts'

/** In the order in which they run. */
export const MEASURES: readonly Measure[] = [
  drain,
  drainTwo,
  phases,
  callers,
  oneByOne,
  bulk,
  pickupSame,
  pickupOther,
  cancelSame,
  cancelOther,
  cancelForced,
  backlog,
  backlogPostgres,
  horizon,
  idle,
  layers,
  install,
]

export function findMeasure(name: string): Measure {
  const measure = MEASURES.find((known) => known.name === name)
  if (measure === undefined) throw new Error(`there is no measure "${name}"`)
  return measure
}
