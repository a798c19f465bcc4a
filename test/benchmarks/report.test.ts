import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { median, percentile, summarize } from '../../benchmarks/queues/figures.ts'
import { drain } from '../../benchmarks/queues/measures/drain.ts'
import { reportOf } from '../../benchmarks/queues/report.ts'
import { VIEWS } from '../../benchmarks/queues/views.ts'
import { drainRuns, resultsOf } from './sample-results.ts'

describe('the figures of a benchmark', () => {
  test('a median is the middle one, or what lies between the two middle ones', () => {
    assert.equal(median([3, 1, 2]), 2)
    assert.equal(median([4, 1, 3, 2]), 2.5)
    assert.equal(median([7]), 7)
  })

  test('a percentile is one of the numbers, which that share does not exceed', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
    assert.equal(percentile(hundred, 0.5), 50)
    assert.equal(percentile(hundred, 0.99), 99)
    assert.equal(percentile([5], 0.99), 5)
  })

  test('a ratio is the median of the ratios within each round, not the ratio of the medians', () => {
    const runs = drainRuns({ millrace: [100, 1_000, 10], plainjob: [50, 100, 20] })
    const summary = summarize(drain, runs).find(
      ({ contender, figure }) => contender === 'plainjob' && figure === 'jobsPerSecond',
    )
    assert.equal(summary?.median, 50)
    assert.equal(summary?.min, 20)
    assert.equal(summary?.max, 100)
    // 0.5, 0.1 and 2.
    assert.equal(summary?.ratio, 0.5)
  })

  test('a row whose base has not run has no ratio', () => {
    const runs = drainRuns({ millrace: [], plainjob: [50] })
    assert.equal(summarize(drain, runs)[0]?.ratio, null)
  })
})

describe('the report of a benchmark', () => {
  test('has a row a contender, with its median, spread and ratio', () => {
    const results = resultsOf(drainRuns({ millrace: [1_000, 3_000, 2_000], plainjob: [500, 1_500, 1_000] }), 3)
    const lines = reportOf(results, { measures: [drain], views: VIEWS }).split('\n')
    assert.ok(lines.includes('|  | jobs/s | spread | ratio |'))
    assert.ok(lines.includes('| Millrace | 2,000 | 1,000–3,000 | 1 |'))
    assert.ok(lines.includes('| plain & <job> | 1,000 | 500–1,500 | 0.50 |'))
    assert.ok(lines.includes('### Bytes a completed job'))
    assert.ok(lines.includes('bullmq was skipped: no redis-server was found on the PATH.'))
  })

  test('says how many jobs a row got that got fewer than the others', () => {
    const runs = drainRuns({ millrace: [1_000], plainjob: [500] }).map((run) =>
      run.contender === 'plainjob' ? { ...run, count: 200 } : run,
    )
    const lines = reportOf(resultsOf(runs, 1), { measures: [drain], views: VIEWS }).split('\n')
    assert.ok(lines.includes('| plain & <job> (200) | 500 | 0.50 |'))
    assert.ok(lines.some((line) => line.startsWith('1,000 waiting jobs')))
  })

  test('does without a spread after a single round, and without what has not run', () => {
    const results = resultsOf(drainRuns({ millrace: [1_000], plainjob: [] }), 1)
    const report = reportOf(results, { measures: [drain], views: VIEWS })
    assert.match(report, /^\| {2}\| jobs\/s \| ratio \|$/m)
    assert.doesNotMatch(report, /Memory of a worker/)
  })
})
