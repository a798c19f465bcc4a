/**
 * Draws the results of a benchmark.
 *
 *     npm run bench:chart -- results.json docs/pictures/performance.svg
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { chartOf } from './chart.ts'
import { RESULTS_VERSION } from './results.ts'
import type { Results } from './results.ts'

function drawChart(from: string, to: string): void {
  const results = JSON.parse(readFileSync(from, 'utf8')) as Results
  if (results.version !== RESULTS_VERSION) throw new Error(`${from} holds results of another version: measure again`)
  mkdirSync(dirname(to), { recursive: true })
  writeFileSync(to, chartOf(results))
}

const [from, to, ...others] = process.argv.slice(2)
if (from === undefined || to === undefined || others.length > 0) {
  console.error('error: name the results and the picture: npm run bench:chart -- results.json chart.svg')
  process.exitCode = 2
} else {
  drawChart(from, to)
}
