/**
 * Simulates worlds of processes, people and faults, one for each seed, and says in which of them something did not hold.
 *
 *     npm run simulate                             1,000 seeds
 *     npm run simulate -- --seeds 100000           more; --from 5000: from that seed on
 *     npm run simulate -- --seed 8513              this one, line by line
 *     npm run simulate -- --acts 200               longer worlds: so many things that people do or that go wrong
 *     npm run simulate -- --json                   what came of it as JSON
 *
 * The exit code is 1 if something did not hold, or if in 1,000 worlds or more a rare branch was never taken.
 */
import { parseArgs } from 'node:util'

import { PROBES } from '../test/simulation/probes.ts'
import { runSeeds, tellFailure } from '../test/simulation/run-seeds.ts'
import type { SeedsReport } from '../test/simulation/run-seeds.ts'
import { runWorld } from '../test/simulation/world.ts'
import type { WorldReport } from '../test/simulation/world.ts'

const DEFAULT_SEEDS = 1_000
/** So many worlds should have seen every branch. */
const ENOUGH_WORLDS = 1_000
const PROGRESS_MS = 2_000

const { values: options } = parseArgs({
  options: {
    seeds: { type: 'string', default: `${DEFAULT_SEEDS}` },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    acts: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})

function wholeNumber(name: string, text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= 1) return number
  throw new Error(`--${name}: expected a whole number from 1, got "${text}"`)
}

async function replay(seed: number, acts: number | undefined): Promise<void> {
  const onLine = options.json ? undefined : (line: string): void => console.log(line)
  const report = await runWorld({
    seed,
    ...(acts === undefined ? {} : { acts }),
    ...(onLine === undefined ? {} : { onLine }),
  })
  if (report.violation !== null) process.exitCode = 1
  if (options.json) console.log(JSON.stringify(summaryOf(report)))
  else console.log(tellFailure(report, acts))
}

async function runMany(acts: number | undefined): Promise<void> {
  const from = wholeNumber('from', options.from)
  const count = wholeNumber('seeds', options.seeds)
  const startedAt = performance.now()
  let toldAt = startedAt
  let done = 0
  let failed = 0
  const onWorld = (world: WorldReport): void => {
    done += 1
    if (world.violation !== null) {
      failed += 1
      console.error(`✖ ${tellFailure(world, acts)}`)
    }
    if (performance.now() - toldAt < PROGRESS_MS) return
    toldAt = performance.now()
    const perSecond = Math.round((done * 1_000) / (toldAt - startedAt))
    console.error(`${done} of ${count} seeds, ${failed} failed, ${perSecond} a second`)
  }
  const report = await runSeeds({ from, count, onWorld, ...(acts === undefined ? {} : { acts }) })
  const isShort = count >= ENOUGH_WORLDS && report.probes.unseen.length > 0
  if (failed > 0 || isShort) process.exitCode = 1
  if (options.json) tellJson(from, report)
  else tell(report, (performance.now() - startedAt) / 1_000)
}

function tell({ worlds, jobs, steps, failed, probes }: SeedsReport, seconds: number): void {
  for (const probe of PROBES) console.log(`${`${probes.count(probe)}`.padStart(8)}  ${probe}`)
  console.log(`\n${worlds} seeds, ${failed.length} failed; ${jobs} jobs, ${steps} steps, ${seconds.toFixed(1)} s`)
}

function tellJson(from: number, { worlds, jobs, steps, failed, probes }: SeedsReport): void {
  const seen = Object.fromEntries(PROBES.map((probe) => [probe, probes.count(probe)]))
  console.log(JSON.stringify({ from, worlds, jobs, steps, failed: failed.map(summaryOf), seen }))
}

function summaryOf({ seed, steps, jobs, violation }: WorldReport): object {
  return { seed, steps, jobs, violation }
}

const acts = options.acts === undefined ? undefined : wholeNumber('acts', options.acts)
if (options.seed === undefined) await runMany(acts)
else await replay(wholeNumber('seed', options.seed), acts)
