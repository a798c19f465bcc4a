/**
 * One run of one measure for one contender, in a process of its own; with a part, what another process of that run does. The order is JSON
 * in the only argument. The answer goes to the process that started it, or, started by hand, as one line of JSON to the standard output.
 */
import { Channel, Part } from './channel.ts'
import type { Place, Settings } from './contenders/contender.ts'
import type { ContenderName } from './contenders/find-contender.ts'
import { findContender } from './contenders/find-contender.ts'
import { findMeasure } from './measures/find-measure.ts'
import type { Bench, Figures } from './measures/measure.ts'

export interface RunOrder {
  readonly measure: string
  readonly contender: ContenderName
  readonly settings: Settings
  readonly variant: string | null
  readonly count: number
  readonly place: Place
  /** Null: the process that measures. */
  readonly part: string | null
}

async function runOrder(order: RunOrder): Promise<void> {
  const { place, variant, count } = order
  const contender = await findContender(order.contender, order.settings)
  const measure = findMeasure(order.measure)
  const bench: Bench = { contender, place, variant, count, open: (load = 'plain') => contender.open(place, load) }
  if (order.part !== null) {
    const part = measure.parts?.[order.part]
    if (part === undefined) throw new Error(`${measure.name} has no part "${order.part}"`)
    await part(bench, new Channel(process))
    return
  }
  const startPart = (part: string): Part => new Part(import.meta.filename, [JSON.stringify({ ...order, part })])
  const figures = await measure.run({ ...bench, part: startPart })
  answer({ maxRssMb: process.resourceUsage().maxRSS / 1_024, ...figures })
}

function answer(figures: Figures): void {
  if (process.send === undefined) console.log(JSON.stringify(figures))
  else process.send({ name: 'figures', facts: figures })
}

/** Resolves once everything that was told before has gone out. */
async function tellLast(): Promise<void> {
  if (process.send === undefined) return
  await new Promise((resolve) => process.send?.({ name: 'over', facts: null }, resolve))
}

// Whoever waits for this process is gone: so is the reason to go on.
process.once('disconnect', () => process.exit(1))
await runOrder(JSON.parse(process.argv[2] ?? '{}') as RunOrder)
await tellLast()
process.exit(0)
