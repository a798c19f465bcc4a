/** The commands that work until they are stopped. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import { defineJob, openMillrace } from '../../src/index.ts'
import { writeTree } from '../support/temporary-tree.ts'
import { runCli, startCli } from './run-cli.ts'
import type { RunningCli } from './run-cli.ts'

const MODULE = join(import.meta.dirname, 'programs/mail-handlers.ts')

interface Yard {
  readonly folder: string
  readonly url: string
  readonly start: (...args: readonly string[]) => RunningCli
}

function openYard(context: TestContext): Yard {
  const folder = writeTree(context, {})
  const url = `sqlite:${join(folder, 'jobs.db')}`
  return { folder, url, start: (...args) => startCli(args, { cwd: folder, env: { MILLRACE_URL: url } }) }
}

/** The lines that are JSON objects. */
function logged(stdout: string): readonly Record<string, unknown>[] {
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'))
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('work', { concurrency: 2 }, () => {
  test('works on the jobs of every handler that the module exports, and logs JSON lines where nobody looks', async (context) => {
    const { folder, url, start } = openYard(context)
    const worker = start('work', MODULE, '--concurrency', '2')
    const env = { MILLRACE_URL: url }
    const sent = await runCli(['enqueue', 'mail.send', '--input', '"ann"', '--wait', '1m'], { cwd: folder, env })
    assert.deepEqual([sent.code, JSON.parse(sent.stdout)], [0, { sent: 'ann' }])
    const lost = await runCli(['enqueue', 'mail.lose', '--wait', '1m'], { cwd: folder, env })
    assert.deepEqual([lost.code, /failed: the letter is lost/.test(lost.stderr)], [1, true])
    const workers = await runCli(['workers', '--json'], { cwd: folder, env })
    const answer = JSON.parse(workers.stdout) as { readonly workers: readonly Record<string, unknown>[] }
    assert.deepEqual(
      answer.workers.map(({ service, state, concurrency }) => ({ service, state, concurrency })),
      [{ service: 'mailers', state: 'live', concurrency: 2 }],
    )
    worker.child.kill('SIGTERM')
    const { code, stdout } = await worker.ended
    assert.equal(code, 0)
    const lines = logged(stdout)
    assert.deepEqual(
      lines.map(({ level, msg, jobType }) => [level, msg, jobType]),
      [
        ['info', 'WORKER_START', undefined],
        ['info', 'JOB_START', 'mail.send'],
        ['info', 'JOB_SUCCESS', 'mail.send'],
        ['info', 'JOB_START', 'mail.lose'],
        ['error', 'JOB_FAILED', 'mail.lose'],
      ],
    )
    assert.ok(lines.every(({ time }) => typeof time === 'number'))
  })

  test('logs tagged lines where they are wanted', async (context) => {
    const { folder, url, start } = openYard(context)
    const worker = start('work', MODULE, '--log-format', 'tagged')
    await runCli(['enqueue', 'mail.send', '--wait', '1m'], { cwd: folder, env: { MILLRACE_URL: url } })
    await worker.said(/\[JOB_SUCCESS\]/)
    worker.child.kill('SIGINT')
    const { code, stdout } = await worker.ended
    assert.equal(code, 0)
    assert.match(stdout, /^\[JOB_START\] \{"jobId":"[0-9a-f-]{36}","jobType":"mail\.send",.*\}$/m)
    assert.match(stdout, /^\[JOB_SUCCESS\] \{.*"status":"success".*\}$/m)
  })

  test('gives back what is unfinished when it is stopped, and says that it did not come to rest', async (context) => {
    const { url, start } = openYard(context)
    const worker = start('work', MODULE, '--drain', '2s')
    await using mill = await openMillrace(url, { thread: false })
    const { job } = await mill.enqueue('mail.hang')
    await worker.said(/^hanging$/m)
    worker.child.kill('SIGINT')
    const { code, stderr } = await worker.ended
    assert.equal(code, 1)
    assert.match(stderr, /drain-timeout/)
    const { state, failures, attempt } = await mill.get(job)
    assert.deepEqual({ state, failures, attempt }, { state: 'queued', failures: 0, attempt: 1 })
  })

  test('is told to be blocked where its event loop stands still', async (context) => {
    const { folder, url, start } = openYard(context)
    const worker = start('work', MODULE)
    await using mill = await openMillrace(url, { thread: false })
    await worker.said(/WORKER_START/)
    const database = new DatabaseSync(join(folder, 'jobs.db'), { timeout: 10_000 })
    context.after(() => database.close())
    const beatAt = (await mill.workers())[0]?.beatAt ?? 0
    // As the thread beside a blocked loop notes it. The next beat would note that it is not so: the worker is stopped, while somebody else has
    // the lock.
    database.exec('BEGIN IMMEDIATE')
    context.after(() => worker.child.kill('SIGKILL'))
    worker.child.kill('SIGSTOP')
    database.exec(`UPDATE millrace_sessions SET blocked_since = ${beatAt} - 65000; COMMIT`)
    const env = { MILLRACE_URL: url }
    const workers = await runCli(['workers'], { cwd: folder, env })
    assert.match(workers.stdout, /^mailers +blocked 1m \d+s +0\/10 /m)
    assert.match(
      (await runCli(['stats'], { cwd: folder, env })).stdout,
      /^workers {3}1 alive \(1 blocked\), 0 of 10 slots/m,
    )
    worker.child.kill('SIGCONT')
    worker.child.kill('SIGTERM')
    await worker.ended
  })

  for (const [signal, expected] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    test(`ends at once on a second ${signal}, with the exit code ${expected}`, async (context) => {
      const { url, start } = openYard(context)
      const worker = start('work', MODULE, '--drain', '1h')
      await using mill = await openMillrace(url, { thread: false })
      await mill.enqueue('mail.hang')
      await worker.said(/^hanging$/m)
      worker.child.kill(signal)
      await worker.said(/Once more ends at once/)
      worker.child.kill(signal)
      const { code } = await worker.ended
      assert.equal(code, expected)
    })
  }

  test('refuses a module that is not there or has no handlers, and a type that another service works on', async (context) => {
    const { url, start, folder } = openYard(context)
    const missing = await start('work', './nothing.js').ended
    assert.deepEqual([missing.code, /nothing\.js, which is not there/.test(missing.stderr)], [2, true])
    const empty = writeTree(context, {
      'empty.mjs': 'export const handler = 1',
      'broken.mjs': "import 'nowhere-at-all'",
    })
    const none = await start('work', join(empty, 'empty.mjs')).ended
    assert.deepEqual([none.code, /a module that exports handlers.*with handler/.test(none.stderr)], [2, true])
    const broken = await start('work', join(empty, 'broken.mjs')).ended
    assert.deepEqual([broken.code, /nowhere-at-all/.test(broken.stderr)], [1, true])
    assert.ok(!existsSync(join(folder, 'jobs.db')))
    {
      await using mill = await openMillrace(url, { service: 'printers', thread: false })
      const { handle } = await import('../../src/index.ts')
      await mill.work([handle(defineJob('mail.send', { service: 'printers' }), () => null)])
    }
    const conflict = await start('work', MODULE).ended
    assert.deepEqual([conflict.code, /owned by the service "printers"/.test(conflict.stderr)], [4, true])
  })
})

describe('start', { concurrency: 2 }, () => {
  test('makes ./data, shows the example phase by phase, prints its artifact and works on until Ctrl-C', async (context) => {
    const folder = writeTree(context, {})
    const started = startCli(['start', MODULE], { cwd: folder })
    await started.said(/The worker waits for jobs/)
    const later = await runCli(['enqueue', 'mail.send', '--input', '7', '--wait', '1m'], { cwd: folder })
    assert.equal(later.code, 0, later.stderr)
    started.child.kill('SIGINT')
    const { code, stdout } = await started.ended
    assert.equal(code, 0)
    assert.match(stdout, /^Millrace \S+ on sqlite:.*data.millrace\.db .*, working on .*book\.write/m)
    assert.match(stdout, /^plan: running\nplan: done \S+\nwrite: running\n/m)
    assert.match(stdout, /^write: done \S+$/m)
    const path = /^book\.txt: (?<path>.+)$/m.exec(stdout)?.groups?.['path'] ?? ''
    assert.equal(readFileSync(path, 'utf8'), 'chapters: 2')
    assert.match(stdout, /JOB_SUCCESS/)

    const again = startCli(['start', MODULE], { cwd: folder })
    await again.said(/The worker waits for jobs/)
    again.child.kill('SIGTERM')
    const second = await again.ended
    assert.equal(second.code, 0)
    assert.match(second.stdout, /book\.write \S+ \(was there already\)/)
    assert.ok(second.stdout.includes(path))
  })
})
