/** Two processes work on one file: neither keeps the other out, and each hears of the other's jobs at once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { handle } from '../../src/index.ts'
import { median } from '../support/median.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { scaled } from '../support/scale.ts'
import { sharedNow } from '../support/wait-for-event.ts'
import { enqueueMany, greet } from './programs/crowd-jobs.ts'
import type { Greeting } from './programs/crowd-jobs.ts'

test('two processes that enqueue and work under load never find the database locked', async (context) => {
  const { mill, start, work, logs } = await openTestMill(context)
  const each = scaled(1_000)
  const other = start('crowd')
  await other.hear('ready')
  await work([handle(greet, () => ({ pid: process.pid, at: 0 }))])
  other.tell('enqueue', each)
  const [ours, theirs] = await Promise.all([enqueueMany(mill, each), other.hear<readonly string[]>('enqueued')])
  const pids = new Map<number, number>()
  let givenBack = 0
  for (const id of [...ours, ...theirs]) {
    const { state, output, attempt, eventSeq, failures, lostAttempts, releasedAttempts } = await mill.waitFor(id)
    assert.deepEqual({ state, failures, lostAttempts }, { state: 'completed', failures: 0, lostAttempts: 0 })
    // A held-up worker gives back what it has taken ahead and not begun: another attempt, and the events of its end and of the next start.
    assert.deepEqual({ attempt, eventSeq }, { attempt: 1 + releasedAttempts, eventSeq: 3 + 2 * releasedAttempts })
    givenBack += releasedAttempts
    const { pid } = output as Greeting
    pids.set(pid, (pids.get(pid) ?? 0) + 1)
  }
  assert.deepEqual(await mill.counts(), {
    scheduled: 0,
    queued: 0,
    running: 0,
    retrying: 0,
    completed: 2 * each,
    failed: 0,
    cancelled: 0,
  })
  other.tell('report')
  assert.deepEqual(await other.hear('complaints'), [])
  assert.deepEqual(
    logs.filter(({ level }) => level !== 'info'),
    [],
  )
  context.diagnostic(`jobs done here and there: ${[...pids.values()].join(' and ')}, given back unbegun: ${givenBack}`)
})

test('a job that one process enqueues is begun by the other without waiting for a poll', async (context) => {
  const { mill, start } = await openTestMill(context)
  const other = start('crowd')
  await other.hear('ready')
  const fromCall: number[] = []
  const fromAnswer: number[] = []
  for (let round = 0; round < scaled(100); round += 1) {
    const calledAt = sharedNow()
    const { job } = await mill.enqueue(greet)
    const answeredAt = sharedNow()
    const { pid, at } = (await mill.waitFor(job)).output as Greeting
    assert.equal(pid, other.pid)
    fromCall.push(at - calledAt)
    fromAnswer.push(at - answeredAt)
  }
  context.diagnostic(
    `median from the call of enqueue to the start of the handler ${median(fromCall).toFixed(2)} ms, ` +
      `from its answer ${median(fromAnswer).toFixed(2)} ms; slowest ${Math.max(...fromCall).toFixed(1)} ms`,
  )
  // A poll of a second would make it half a second: far from any figure that a busy machine gives.
  assert.ok(median(fromCall) < 250, `the median is ${median(fromCall)} ms`)
})
