/** The commands by which a person does once what workers do by time. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import { openMillrace } from '../../src/index.ts'
import { writeTree } from '../support/temporary-tree.ts'
import { runCli, startCli } from './run-cli.ts'
import type { CliOptions } from './run-cli.ts'

const MODULE = join(import.meta.dirname, 'programs/mail-handlers.ts')
const onLinux = { skip: process.platform !== 'linux' && 'nothing is known of processes' }

/** A database, with a job that is left behind by a worker whose process was killed. */
async function openWithOrphan(context: TestContext): Promise<CliOptions & { readonly id: string }> {
  const cwd = writeTree(context, {})
  const url = `sqlite:${join(cwd, 'jobs.db')}`
  const options = { cwd, env: { MILLRACE_URL: url } }
  await using mill = await openMillrace(url, { thread: false })
  const { job } = await mill.enqueue('mail.hang')
  const worker = startCli(['work', MODULE], options)
  await worker.said(/^hanging$/m)
  worker.child.kill('SIGKILL')
  await worker.ended
  return { ...options, id: job.id }
}

describe('recover-stuck', () => {
  test('takes back the job of a killed worker at once, and says how many there were', onLinux, async (context) => {
    const { id, ...options } = await openWithOrphan(context)
    const found = await runCli(['recover-stuck'], options)
    assert.deepEqual([found.code, found.stdout], [0, '1 job was stuck, and has been taken back or ended.\n'])
    const job = await runCli(['show', id, '--json'], options)
    assert.match(job.stdout, /"state": ?"queued"/)
    const none = await runCli(['recover-stuck'], options)
    assert.deepEqual([none.code, none.stdout, none.stderr], [0, 'No job is stuck.\n', ''])
  })

  test('answers in JSON where that is wanted', onLinux, async (context) => {
    const options = await openWithOrphan(context)
    const { code, stdout } = await runCli(['recover-stuck', '--json'], options)
    assert.deepEqual([code, JSON.parse(stdout)], [0, { recovered: 1 }])
  })

  test('makes no database where there is none', async (context) => {
    const { code, stderr } = await runCli(['recover-stuck', '--db', 'sqlite:jobs.db'], { cwd: writeTree(context, {}) })
    assert.deepEqual([code, /There is no database at/.test(stderr)], [5, true])
  })
})
