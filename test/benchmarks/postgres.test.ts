import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'

import { POSTGRES_QUEUES } from '../../benchmarks/queues/contenders/find-contender.ts'
import { withClient } from '../../benchmarks/queues/contenders/postgres-client.ts'
import { postgresServer, stopPostgresServer } from '../../benchmarks/queues/contenders/postgres-server.ts'
import type { Results } from '../../benchmarks/queues/results.ts'
import { emptyFolder, runTiny } from './run-bench.ts'

/** What differs from contender to contender: how it drains, alone and beside another, notices, is filled and fed. */
const MEASURES = 'drain-two,pickup-other,backlog-postgres,horizon'

describe('the queue benchmark on PostgreSQL', () => {
  let url = ''
  before(async () => {
    url = (await postgresServer()).url
  })
  after(stopPostgresServer)

  for (const contender of POSTGRES_QUEUES) {
    test(`measures ${contender} at its best and at its defaults, and counts what it left`, (context) => {
      const args = ['--contenders', contender, '--only', MEASURES]
      const { results } = runTiny(context, args, { BENCH_DATABASE_URL: url })
      assert.deepEqual(measuresOf(results, 'best'), new Set(MEASURES.split(',')))
      assert.ok(measuresOf(results, 'defaults').has('drain-two'))
      for (const { measure, figures } of results.runs) {
        const told = figures['jobsPerSecond'] ?? figures['p50Ms'] ?? 0
        assert.ok(told > 0, measure)
      }
      assert.match(results.machine.postgres ?? '', /^\d+/)
    })
  }

  test('measures the bare tables, which Millrace counts', (context) => {
    const measures = 'drain,one-by-one,bulk'
    const { results } = runTiny(context, ['--contenders', 'raw-postgres', '--only', measures], {
      BENCH_DATABASE_URL: url,
    })
    assert.deepEqual(measuresOf(results, 'best'), new Set(measures.split(',')))
  })

  test('puts each database into a table of its own', (context) => {
    const args = ['--contenders', 'millrace,graphile-worker', '--only', 'bulk']
    const { stdout } = runTiny(context, args, { BENCH_DATABASE_URL: url })
    assert.match(stdout, /^SQLite and Redis:\n\n.*\n.*\n\| Millrace \|/m)
    assert.match(stdout, /^PostgreSQL:\n\n.*\n.*\n\| graphile-worker \|/m)
  })

  test('leaves no database behind on a server that is not its own', async () => {
    const left = await withClient(url, (client) =>
      client.query("SELECT datname FROM pg_database WHERE datname LIKE 'millrace_bench%'"),
    )
    assert.deepEqual(left.rows, [])
  })

  test('starts a server of its own, and leaves nothing of it behind', (context) => {
    const folder = emptyFolder(context)
    const args = ['--contenders', 'graphile-worker', '--only', 'one-by-one']
    const { results } = runTiny(context, args, { TMPDIR: folder, TEMP: folder })
    assert.equal(results.runs.length, 2)
    assert.deepEqual(readdirSync(folder), [])
  })

  for (const [given, reason] of [
    ['postgres://127.0.0.1:1/none', /connect ECONNREFUSED/],
    ['synchronous_commit', /synchronous_commit is off/],
  ] as const) {
    test(`leaves its contenders out, aloud, where the server is no good: ${given}`, (context) => {
      const bad = given === 'synchronous_commit' ? `${url}?options=-c%20synchronous_commit%3Doff` : given
      const args = ['--contenders', 'graphile-worker', '--only', 'one-by-one']
      const { results, stderr } = runTiny(context, args, { BENCH_DATABASE_URL: bad })
      assert.match(stderr, /^graphile-worker skipped: the server of BENCH_DATABASE_URL: /m)
      assert.match(results.skipped[0]?.reason ?? '', reason)
      assert.deepEqual(results.runs, [])
    })
  }
})

function measuresOf({ runs }: Results, settings: string): Set<string> {
  return new Set(runs.filter((run) => run.settings === settings).map(({ measure }) => measure))
}
