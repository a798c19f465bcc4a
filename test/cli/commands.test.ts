/** Each command, run by a shell as a user would. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import manifest from '../../package.json' with { type: 'json' }
import { defineJob, handle, openMillrace } from '../../src/index.ts'
import { writeTree } from '../support/temporary-tree.ts'
import type { Job } from '../../src/index.ts'
import { runCli } from './run-cli.ts'
import type { CliOptions, CliRun } from './run-cli.ts'

const NOBODY = '019b7613-6800-7000-8000-00000000dead'
const exportMap = defineJob('map.export', { service: 'workers', phases: ['load', 'render'] })

interface Shell {
  readonly folder: string
  readonly url: string
  readonly run: (...args: readonly string[]) => Promise<CliRun>
  /** Runs with --json and parses the answer. */
  readonly ask: (...args: readonly string[]) => Promise<Record<string, unknown>>
  readonly runWith: (options: Partial<CliOptions>, ...args: readonly string[]) => Promise<CliRun>
}

function openShell(context: TestContext): Shell {
  const folder = writeTree(context, {})
  const url = `sqlite:${join(folder, 'jobs.db')}`
  const runWith: Shell['runWith'] = (options, ...args) =>
    runCli(args, { cwd: folder, env: { MILLRACE_URL: url }, ...options })
  const run: Shell['run'] = (...args) => runWith({}, ...args)
  return {
    folder,
    url,
    run,
    runWith,
    ask: async (...args) => {
      const { code, stdout, stderr } = await run(...args, '--json')
      assert.equal(code, 0, stderr)
      return JSON.parse(stdout) as Record<string, unknown>
    },
  }
}

/** A shell whose database has one job, enqueued by the library. */
async function openShellWithJob(context: TestContext): Promise<Shell & { readonly id: string }> {
  const shell = openShell(context)
  await using mill = await openMillrace(shell.url, { thread: false })
  const { job } = await mill.enqueue(exportMap, { region: 'FRA' }, { tenant: 'acme', owner: 'ann', delay: '1h' })
  return { ...shell, id: job.id }
}

describe('the command line', { concurrency: 2 }, () => {
  test('migrate tells what is missing, writes it out, applies it, and finds nothing the second time', async (context) => {
    const { folder, url, run, ask } = openShell(context)
    const told = await run('migrate', '--dry-run')
    assert.equal(told.code, 1)
    assert.match(told.stdout, /lacks 0001_create_core/)
    const written = await run('migrate', '--sql')
    assert.equal(written.code, 0)
    assert.match(written.stdout, /CREATE TABLE millrace_jobs/)
    assert.ok(!existsSync(join(folder, 'jobs.db')))
    assert.match((await run('migrate')).stdout, /applied 0001_create_core/)
    assert.deepEqual(await ask('migrate', '--dry-run'), { store: url, migrations: [], sql: '', applied: false })
  })

  test('tells every command, examples and exit codes', async (context) => {
    const { run } = openShell(context)
    const { code, stdout } = await run('--help')
    assert.equal(code, 0)
    const commands = ['start', 'work', 'enqueue', 'list', 'show', 'cancel', 'retry', 'run-now', 'pause', 'resume']
    for (const command of [
      ...commands,
      'force-fail',
      'force-reset',
      'audit',
      'explain',
      'stats',
      'workers',
      'owners',
      'red-flags',
      'cleanup',
      'recover-stuck',
      'migrate',
    ]) {
      assert.match(stdout, new RegExp(`^  ${command} `, 'm'))
    }
    assert.match(stdout, /Examples:/)
    assert.match(stdout, /Exit codes:\n {2}0 {2}done/)
    const help = await run('enqueue', '--help')
    assert.match(help.stdout, /--run-at <instant>/)
    assert.match(help.stdout, /--db <url>/)
  })

  test('tells its version', async (context) => {
    const { stdout } = await openShell(context).run('--version')
    assert.equal(stdout.trim(), manifest.version)
  })

  test('refuses what it does not know with exit code 2', async (context) => {
    const { run } = openShell(context)
    const unknown = await run('cancle', NOBODY)
    assert.equal(unknown.code, 2)
    assert.match(unknown.stderr, /Did you mean cancel\?/)
  })

  test('does not make a database where it only looks, and says that there is none with exit code 5', async (context) => {
    const { run, folder } = openShell(context)
    const { code, stderr } = await run('list')
    assert.equal(code, 5)
    assert.match(stderr, /There is no database at .*jobs\.db.*--db or MILLRACE_URL/)
    assert.ok(!existsSync(join(folder, 'jobs.db')))
  })

  test('says that there is no server at a URL of PostgreSQL with exit code 5, and keeps the password to itself', async (context) => {
    const { run } = openShell(context)
    const { code, stderr } = await run('stats', '--db', 'postgres://ann:secret@127.0.0.1:1/jobs', '--schema', 'shop')
    assert.equal(code, 5)
    assert.match(stderr, /store-unreachable/)
    assert.doesNotMatch(stderr, /secret/)
  })

  test('refuses a schema on SQLite with exit code 2', async (context) => {
    const { code, stderr } = await openShell(context).run('enqueue', 'mail.send', '--schema', 'shop')
    assert.equal(code, 2)
    assert.match(stderr, /^millrace: schema: .*PostgreSQL/)
  })

  test('owners tells who works on which type, and transfer hands one over', async (context) => {
    const shell = await openShellWithJob(context)
    const { run, ask, url } = shell
    {
      await using mill = await openMillrace(url, { thread: false, maintenance: false })
      const handler = handle(exportMap)
        .phase('load', () => null)
        .phase('render', () => null)
      await mill.work([handler], { manual: true })
    }
    const flags = ['--from', 'workers', '--to', 'maps', '--actor', 'ann', '--reason', 'moved']
    const owner = await ask('owners', 'transfer', 'map.export', ...flags)
    const transfer = { from: 'workers', by: 'ann', reason: 'moved' }
    assert.deepEqual([owner['service'], owner['epoch'], owner['transfer']], ['maps', 2, transfer])
    assert.match((await run('owners')).stdout, /^map\.export +maps +0 +2 .*from workers by ann$/m)
    const late = await run('owners', 'transfer', 'map.export', ...flags)
    assert.equal(late.code, 4)
    assert.match(late.stderr, /its owner is the service "maps".*owner-conflict/)
  })

  test('red-flags lists what is wrong and what to do', async (context) => {
    const { run, ask } = await openShellWithJob(context)
    const { stdout } = await run('red-flags')
    assert.match(stdout, /^no-owner {2}Jobs of the type "map\.export" wait.*\n {10}Start a worker/)
    const { redFlags } = await ask('red-flags')
    assert.deepEqual(
      (redFlags as readonly { readonly code: string }[]).map(({ code }) => code),
      ['no-owner'],
    )
  })

  test('answers an error as JSON on standard error where JSON is wanted', async (context) => {
    const { run } = await openShellWithJob(context)
    const { code, stdout, stderr } = await run('show', NOBODY, '--json')
    assert.equal(code, 3)
    assert.equal(stdout, '')
    const { error } = JSON.parse(stderr) as { readonly error: { readonly code: string } }
    assert.equal(error.code, 'job-not-found')
  })

  test('uses colours where they are wanted, and none with NO_COLOR', async (context) => {
    const { runWith, url } = await openShellWithJob(context)
    const forced = await runWith({ env: { MILLRACE_URL: url, FORCE_COLOR: '1' } }, 'list')
    const refused = await runWith({ env: { MILLRACE_URL: url, NO_COLOR: '1' } }, 'list')
    assert.ok(forced.stdout.includes('\u001b[36m'), 'the test would see colours')
    assert.ok(!refused.stdout.includes('\u001b'))
  })
})

describe('enqueue', { concurrency: 2 }, () => {
  test('adds a job with everything that was said and prints its id', async (context) => {
    const { run, ask, url } = openShell(context)
    const facts = ['--owner', 'ann', '--label', 'course=c-12', '--label', 'book=b=1', '--priority', '-3']
    const when = ['--delay', '5m', '--unique', 'FRA', '--queue', 'rush']
    const same = ['enqueue', 'map.export', '--input', '{"region":"FRA"}', '--tenant', 'acme', '--key', 'order-7']
    const { code, stdout } = await run(...same, ...facts, ...when)
    assert.equal(code, 0)
    await using mill = await openMillrace(url, { thread: false })
    const { type, input, tenant, owner, labels, priority, key, unique, queue, state } = await mill.get(stdout.trim())
    assert.deepEqual(
      { type, input, tenant, owner, labels, priority, key, unique, queue, state },
      {
        type: 'map.export',
        input: { region: 'FRA' },
        tenant: 'acme',
        owner: 'ann',
        labels: { course: 'c-12', book: 'b=1' },
        priority: -3,
        key: 'order-7',
        unique: 'FRA',
        queue: 'rush',
        state: 'scheduled',
      },
    )
    const again = await ask(...same)
    assert.deepEqual([again['outcome'], again['id']], ['duplicate', stdout.trim()])
    const reused = await run('enqueue', 'map.export', '--input', '1', '--tenant', 'acme', '--key', 'order-7')
    assert.equal(reused.code, 4)
  })

  test('reads its input from a file and from standard input', async (context) => {
    const { runWith, url } = openShell(context)
    const folder = writeTree(context, { 'order.json': '{"from":"file"}' })
    const file = await runWith({ cwd: folder }, 'enqueue', 'mail.send', '--input', '@order.json')
    const piped = await runWith({ input: '{"from":"pipe"}' }, 'enqueue', 'mail.send', '--input', '-')
    await using mill = await openMillrace(url, { thread: false })
    assert.deepEqual((await mill.get(file.stdout.trim())).input, { from: 'file' })
    assert.deepEqual((await mill.get(piped.stdout.trim())).input, { from: 'pipe' })
  })

  test('refuses an input that is no JSON and a bad option', async (context) => {
    const { run } = openShell(context)
    const text = await run('enqueue', 'mail.send', '--input', 'ann')
    assert.deepEqual([text.code, /It is not JSON/.test(text.stderr)], [2, true])
    const delay = await run('enqueue', 'mail.send', '--delay', 'soon')
    assert.deepEqual([delay.code, /delay: expected a duration/.test(delay.stderr)], [2, true])
  })

  test('with --wait ends with exit code 6 when the time runs out', async (context) => {
    const { code, stderr } = await openShell(context).run('enqueue', 'mail.send', '--wait', '10ms')
    assert.equal(code, 6)
    assert.match(stderr, /it is queued/)
  })
})

describe('a job', { concurrency: 2 }, () => {
  test('is listed, by what it is, page by page', async (context) => {
    const { run, ask, id } = await openShellWithJob(context)
    const { stdout } = await run('list', '--state', 'scheduled,running', '--tenant', 'acme')
    assert.match(stdout, /^ID +STATE +% +TRY +AGE +TYPE +WHOSE\n/)
    assert.match(stdout, new RegExp(`^${id}  scheduled +0 +0 +\\S+  map\\.export  acme / ann$`, 'm'))
    assert.match((await run('list', '--state', 'running,failed')).stdout, /^No jobs\.$/m)
    await run('enqueue', 'mail.send')
    const page = await ask('list', '--limit', '1')
    const next = await ask('list', '--after', String(page['next']))
    assert.deepEqual([(next['jobs'] as readonly { readonly id: string }[])[0]?.id, next['next']], [id, null])
  })

  test('is shown, explained and counted', async (context) => {
    const { run, ask, id } = await openShellWithJob(context)
    const shown = await run('show', id)
    assert.match(shown.stdout, /^map\.export {2}scheduled$/m)
    assert.match(shown.stdout, /· render {2}pending/)
    assert.match(shown.stdout, /"region": "FRA"/)
    const explained = await run('explain', id)
    assert.match(explained.stdout, /^The job is scheduled: no service has registered/)
    assert.match(explained.stdout, /scheduled {2}Its time comes in/)
    const { counts } = (await ask('stats', '--type', 'map.export')) as { readonly counts: Record<string, number> }
    assert.equal(counts['scheduled'], 1)
    assert.match((await run('workers')).stdout, /^No workers\.$/m)
  })

  test('is shown with what stopped each of its attempts', async (context) => {
    const { url, ask } = openShell(context)
    await using mill = await openMillrace(url, { thread: false })
    const { job } = await mill.enqueue(exportMap)
    const worker = await mill.work(
      [
        handle(exportMap)
          .phase('load', () => 1)
          .phase('render', () => 2),
      ],
      { manual: true },
    )
    await worker.runOnce()
    const { job: shown } = (await ask('show', job.id)) as { readonly job: Pick<Job, 'attempts' | 'finishedAt'> }
    assert.deepEqual(
      shown.attempts.map(({ stoppedAt, stoppedBy }) => ({ stoppedAt, stoppedBy })),
      [{ stoppedAt: shown.finishedAt, stoppedBy: 'handler' }],
    )
  })

  test('is run now, cancelled and retried; what its state does not allow is exit code 4', async (context) => {
    const { run, ask, id } = await openShellWithJob(context)
    assert.equal((await run('retry', id)).code, 4)
    assert.match((await run('run-now', id, '--actor', 'ann')).stdout, /is queued/)
    assert.match((await run('show', id)).stdout, /run now by ann .* ago/)
    const cancelled = await ask('cancel', id, '--actor', 'ann', '--reason', 'wrong region')
    assert.deepEqual(cancelled, { success: true, jobId: id, state: 'cancelled', cancelledBy: 'ann' })
    assert.match((await run('show', id)).stdout, /cancelled by ann .* ago: wrong region/)
    const retried = await ask('retry', id, '--from-start', '--actor', 'bob')
    assert.match((await run('show', id)).stdout, /retried by bob .* ago/)
    assert.deepEqual([retried['state'], retried['generation'], retried['phase']], ['queued', 2, 'load'])
    assert.equal((await run('cancel', NOBODY)).code, 3)
  })

  test('is cancelled with all that match, after a look at how many they are', async (context) => {
    const { run, ask, id } = await openShellWithJob(context)
    await run('enqueue', 'mail.send', '--tenant', 'other')
    const preview = await ask('cancel', '--type', 'map.export', '--dry-run')
    assert.deepEqual(preview, { preview: true, waiting: 1, running: 0 })
    assert.match((await run('cancel', '--tenant', 'other', '--dry-run')).stdout, /^1 waiting and 0 running match\./)
    const done = await run('cancel', '--type', 'map.export', '--state', 'scheduled,queued', '--actor', 'ann')
    assert.match(done.stdout, /^1 cancelled, 0 told to stop\.$/m)
    assert.match((await run('show', id)).stdout, /cancelled by ann/)
    const counts = (await ask('stats')) as { readonly counts: Record<string, number> }
    assert.deepEqual([counts.counts['queued'], counts.counts['cancelled']], [1, 1])
    for (const args of [[], [id, '--dry-run'], ['--state', 'failed']]) {
      assert.equal((await run('cancel', ...args)).code, 2, args.join(' '))
    }
  })

  test('is failed and reset by force, which the audit tells', async (context) => {
    const { run, ask, id } = await openShellWithJob(context)
    assert.equal((await run('audit')).stdout, 'Nothing was done by force.\n')
    assert.equal((await run('force-fail', id)).code, 2, 'it needs a reason')
    const failed = await run('force-fail', id, '--reason', 'the file is gone', '--actor', 'olga')
    assert.equal(failed.stdout, `Job ${id} is failed.\n`)
    assert.equal((await run('force-fail', id, '--reason', 'again')).code, 4)
    const reset = await ask('force-reset', id, '--reason', 'it is back', '--keep-phases')
    assert.deepEqual(reset, { jobId: id, state: 'queued', generation: 2, phase: 'load' })
    assert.match(
      (await run('audit', '--job', id, '--limit', '1')).stdout,
      new RegExp(`force-reset +${id} +system \\(operator\\)`),
    )
    const { entries } = (await ask('audit')) as { readonly entries: readonly { readonly act: string }[] }
    assert.deepEqual(
      entries.map(({ act }) => act),
      ['force-reset', 'force-fail'],
    )
  })

  test('waits in a queue that is paused and resumed', async (context) => {
    const { run, ask } = await openShellWithJob(context)
    assert.match((await run('pause', 'map.export', '--actor', 'ann')).stdout, /is paused\./)
    const { stdout } = await run('stats')
    assert.match(stdout, /^paused {4}map\.export, by ann/m)
    assert.match(stdout, /^total +1$/m)
    assert.deepEqual(await ask('resume', 'map.export'), { queue: 'map.export', paused: false, changed: true })
  })
})

describe('a Node that is too old', () => {
  test('is told so in one sentence before anything is imported', async (context) => {
    const { folder, runWith } = openShell(context)
    const pretend = `data:text/javascript,Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.19.0' } })`
    const { code, stdout, stderr } = await runWith({ cwd: folder, flags: ['--import', pretend] }, 'list')
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(
      stderr,
      /^Millrace needs Node 24\.15 [^\n]* this is 20\.19\.0: install Node 24 from https:\/\/nodejs\.org\.\n$/,
    )
  })

  test('meets no import before the check', () => {
    const source = readFileSync(join(import.meta.dirname, '../../src/cli/bin.ts'), 'utf8')
    assert.doesNotMatch(source, /^import /m)
  })
})
