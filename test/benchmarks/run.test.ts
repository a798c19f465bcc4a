import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { describe, test } from 'node:test'

import { emptyFolder, runBench, runTiny, startBench } from './run-bench.ts'

const BESIDE = ['--contenders', 'millrace,raw,plainjob']

describe('the queue benchmark', () => {
  test('writes a figure for every contender, at its best and at its defaults', (context) => {
    const { results, stdout } = runTiny(context, [...BESIDE, '--only', 'drain,one-by-one'])
    const rows = new Set(results.runs.map((run) => `${run.measure} ${run.contender} ${run.settings}`))
    for (const measure of ['drain', 'one-by-one']) {
      for (const row of ['millrace best', 'raw best', 'plainjob best', 'millrace defaults', 'plainjob defaults']) {
        assert.ok(rows.has(`${measure} ${row}`), `${measure} ${row}`)
      }
    }
    for (const { figures } of results.runs) assert.ok((figures['jobsPerSecond'] ?? 0) > 0)
    assert.equal(results.machine.node, process.versions.node)
    assert.match(stdout, /^### Drain, one process$/m)
    assert.match(stdout, /^\| raw node:sqlite \| [\d,]+ \| \d+\.\d\d \|$/m)
    assert.match(stdout, /^\| plainjob \| the last commits \(SQLite, synchronous NORMAL\) \|$/m)
  })

  test('measures only at the settings that are asked for', (context) => {
    const { results } = runTiny(context, ['--contenders', 'millrace', '--only', 'one-by-one', '--settings', 'defaults'])
    assert.deepEqual(new Set(results.runs.map(({ settings }) => settings)), new Set(['defaults']))
  })

  test('says what only several processes can do, with a part for each', (context) => {
    const only = ['--only', 'drain-two,phases,pickup-other,cancel-other,cancel-forced']
    const { results } = runTiny(context, ['--contenders', 'millrace', ...only])
    const best = results.figures.filter(({ settings }) => settings === 'best')
    for (const [measure, figure] of [
      ['drain-two', 'smallerShare'],
      ['phases', 'jobsPerSecond'],
      ['pickup-other', 'p99Ms'],
      ['cancel-other', 'p99Ms'],
      ['cancel-forced', 'endedP99Ms'],
    ]) {
      const found = best.find((known) => known.measure === measure && known.figure === figure)
      assert.ok(found !== undefined && found.median >= 0, `${measure} ${figure}`)
    }
  })

  test('leaves BullMQ out, aloud, where there is no Redis', (context) => {
    const { results, stderr, stdout } = runTiny(context, ['--contenders', 'bullmq', '--only', 'one-by-one'], {
      PATH: '',
    })
    const reason = 'no redis-server was found on the PATH'
    assert.match(stderr, new RegExp(`^BullMQ skipped: ${reason}$`, 'm'))
    assert.match(stdout, new RegExp(`^bullmq was skipped: ${reason}\\.$`, 'm'))
    assert.deepEqual(results.skipped[0], { contender: 'bullmq', reason })
    assert.deepEqual(results.runs, [])
  })

  test('leaves nothing behind in the temporary folder', (context) => {
    const folder = emptyFolder(context)
    runTiny(context, ['--contenders', 'raw', '--only', 'one-by-one'], { TMPDIR: folder, TEMP: folder })
    assert.deepEqual(readdirSync(folder), [])
  })

  for (const contender of ['raw', 'graphile-worker']) {
    const title = `leaves nothing behind when it is interrupted: ${contender}`
    test(title, { skip: process.platform === 'win32' }, async (context) => {
      const folder = emptyFolder(context)
      const args = ['--tiny', '--contenders', contender, '--only', 'one-by-one,bulk']
      const bench = startBench(args, { TMPDIR: folder })
      // The first run is over, so the second is under way.
      await once(bench.stderr, 'data')
      bench.kill('SIGINT')
      const [status] = (await once(bench, 'exit')) as [number]
      assert.equal(status, 130)
      assert.deepEqual(readdirSync(folder), [])
    })
  }

  for (const args of [
    ['--bogus'],
    ['--only', 'drains'],
    ['--contenders', 'nobody'],
    ['--rounds', '0'],
    ['--json', 'no/such/folder.json'],
    ['drain'],
  ]) {
    test(`refuses ${args.join(' ')} with exit code 2`, () => {
      const { status, stdout, stderr } = runBench(args)
      assert.equal(status, 2)
      assert.equal(stdout, '')
      assert.match(stderr, /^error: /)
    })
  }
})
