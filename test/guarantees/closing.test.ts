/** Closing a Millrace takes one time, whatever does not come to rest, and leaves nothing half-open: the process ends by itself. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { defineJob, handle } from '../../src/index.ts'
import type { Isolation } from '../../src/index.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { Announcements, within } from '../support/wait-for-event.ts'
import { endlessHandler } from './programs/endless-handlers.ts'
import { MULES, muleHandler } from './programs/stubborn-jobs.ts'

const weave = defineJob('cloth.weave', { service: 'mill', cancelGrace: '100ms' })
const ISOLATIONS: readonly Isolation[] = ['inline', 'thread', 'process']

describe('a Millrace that is closed within a time', () => {
  test('fires the signal of a handler that swallows it, gives its job back, and says that its workers were late', async (context) => {
    const { mill, work, open } = await openTestMill(context)
    const announce = new Announcements()
    const handler = handle(weave, async ({ signal }) => {
      signal.addEventListener('abort', () => announce.tell('signalled'))
      announce.tell('started')
      await new Promise<never>(() => undefined)
    })
    await work([handler], { drain: '1h' })
    const { job } = await mill.enqueue(weave)
    await announce.hear('started')
    await assert.rejects(within('the closing', mill.close({ timeout: '3s' }), 20_000), {
      code: 'close-timeout',
      details: { timeoutMs: 3_000, unfinished: ['workers'] },
    })
    await announce.hear('signalled')
    const { state, failures } = await (await open()).get(job)
    assert.deepEqual({ state, failures }, { state: 'queued', failures: 0 })
  })

  test('hurries a worker that was stopping already and had more time', async (context) => {
    const { mill, work } = await openTestMill(context)
    const worker = await work([muleHandler], { drain: '1h' })
    const { job } = await mill.enqueue(MULES.inline, null)
    await mill.waitFor(job, { state: 'running' })
    const stopping = assert.rejects(worker.stop(), { code: 'drain-timeout' })
    await assert.rejects(within('the closing', mill.close({ timeout: '800ms' }), 20_000), { code: 'close-timeout' })
    await stopping
  })

  test('may be closed twice: the second call joins the first and hears the same', async (context) => {
    const { mill, work } = await openTestMill(context)
    await work([muleHandler], { drain: '1h' })
    const { job } = await mill.enqueue(MULES.inline, null)
    await mill.waitFor(job, { state: 'running' })
    const [first, second] = await within(
      'both closings',
      Promise.allSettled([mill.close({ timeout: '800ms' }), mill.close()]),
      20_000,
    )
    assert.equal(first.status, 'rejected')
    assert.deepEqual(second, first)
  })

  test('ends on a worker that is being started, of which nothing is left', async (context) => {
    const { mill, open } = await openTestMill(context)
    const starting = mill.work([handle(weave, () => 'woven')])
    const refused = assert.rejects(starting, { code: 'store-closed' })
    await mill.close({ timeout: '5s' })
    await refused
    await assert.rejects(mill.work([handle(weave, () => 'woven')]), { code: 'store-closed' })
    const sessions = await (await open()).workers()
    assert.ok(sessions.every(({ state }) => state === 'ended'))
  })

  test('does not wait for the module of a handler that never comes to the end of its loading', async (context) => {
    const { mill } = await openTestMill(context)
    const refused = assert.rejects(mill.work([endlessHandler]), { code: 'store-closed' })
    await within('the closing', mill.close(), 20_000)
    await refused
  })

  test('tells the time that it was given apart from what is no time', async (context) => {
    const { mill } = await openTestMill(context)
    await assert.rejects(mill.close({ timeout: '-1s' }), { code: 'option-invalid' })
    await assert.rejects(mill.close({ time: '1s' } as object), { code: 'option-invalid' })
    await mill.close({ timeout: 0 }).catch(() => undefined)
    await assert.rejects(mill.counts(), { code: 'store-closed' })
  })
})

describe('a process that closes its Millrace', () => {
  test('ends by itself although none of its handlers does', async (context) => {
    const { mill, start } = await openTestMill(context)
    const closer = start('closer')
    await closer.hear('ready')
    const jobs = await mill.enqueueMany(ISOLATIONS.map((isolation) => ({ definition: MULES[isolation], input: null })))
    for (const { job } of jobs) await mill.waitFor(job, { state: 'running' })
    closer.tell('close', { timeout: '5s' })
    const { code, details } = await closer.hear<{ readonly code: string; readonly details: unknown }>('closed')
    assert.equal(code, 'close-timeout')
    assert.deepEqual(details, { timeoutMs: 5_000, unfinished: ['workers'] })
    assert.deepEqual(await closer.ended(), { code: 0, signal: null }, closer.output)
    for (const { job } of jobs) assert.equal((await mill.get(job)).state, 'queued')
  })
})
