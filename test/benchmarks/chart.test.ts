import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { Resvg } from '@resvg/resvg-js'
import { chartOf } from '../../benchmarks/queues/chart.ts'
import { drainRuns, resultsOf } from './sample-results.ts'

const results = resultsOf(drainRuns({ millrace: [21_000], plainjob: [7_000] }), 1)

describe('the chart of a benchmark', () => {
  test('is a picture that a renderer takes', () => {
    const picture = new Resvg(chartOf(results)).render()
    assert.equal(picture.width, 860)
    assert.ok(picture.height > 100)
  })

  test('labels each bar with its figure, and draws it as long as that', () => {
    const chart = chartOf(results)
    assert.match(chart, />21,000<\/text>/)
    assert.match(chart, />7,000<\/text>/)
    const widths = [...chart.matchAll(/<rect [^>]*width="(?<width>[\d.]+)"/g)].map(({ groups }) =>
      Number(groups?.['width']),
    )
    assert.equal(widths.length, 2)
    assert.ok(Math.abs((widths[0] ?? 0) - 3 * (widths[1] ?? 0)) < 0.3)
  })

  test('says what a power cut may take, and leaves the bars hollow where that is something', () => {
    const chart = chartOf(results)
    assert.match(chart, />Millrace: nothing \(FULL\)<\/text>/)
    assert.equal([...chart.matchAll(/<rect class="[a-z]+ fleeting"/g)].length, 1)
  })

  test('tells one database from the other, where there are two', () => {
    const contenders = results.contenders.map((facts) =>
      facts.name === 'plainjob' ? { ...facts, group: 'PostgreSQL' as const } : facts,
    )
    const chart = chartOf({ ...results, contenders })
    assert.match(
      chart,
      />SQLite and Redis<\/text>[^]*>Millrace<\/text>[^]*>PostgreSQL<\/text>[^]*>plain &amp; &lt;job&gt;</,
    )
    assert.doesNotMatch(chartOf(results), />SQLite and Redis<\/text>/)
  })

  test('escapes what a label holds', () => {
    assert.match(chartOf(results), />plain &amp; &lt;job&gt;<\/text>/)
  })

  test('follows the dark mode of its reader', () => {
    assert.match(chartOf(results), /@media \(prefers-color-scheme: dark\)/)
  })
})
