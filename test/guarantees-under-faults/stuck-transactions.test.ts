/**
 * Somebody falls silent in the middle of a transaction: a machine that has lost its network, a process that is stopped. What the transaction
 * has locked stays locked until the server ends it; that must not keep others from anything but these rows.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { COMPLETE_ONLY_PHASE } from '../../src/core/plans.ts'
import type { Exchange } from '../support/proxied-connection.ts'
import { openProxiedBench } from '../support/proxied-bench.ts'
import { isCommit } from '../support/statements.ts'
import { within } from '../support/wait-for-event.ts'

/** Far less than it takes the server to end the transaction. */
const SOON_MS = 10_000
/** Longer than the tests, so that nobody is freed by the server. */
const STATEMENT_TIMEOUT_MS = 30_000

/** Resolves once somebody behind the proxy has fallen silent where an exchange is as it should be. */
function silenceAt(
  proxy: { decide: (decide: (exchange: Exchange) => 'pass' | 'hold') => void },
  is: (exchange: Exchange) => boolean,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let done = false
  proxy.decide((exchange) => {
    if (done || !is(exchange)) return 'pass'
    done = true
    resolve()
    return 'hold'
  })
  return promise
}

function mentions(text: string): (exchange: Exchange) => boolean {
  return (exchange) => isCommit(exchange) && exchange.transaction.some((statement) => statement.includes(text))
}

test('jobs of dead workers are taken over although somebody who fell silent has one of them locked', async (context) => {
  const { proxy, proxied, straight } = await openProxiedBench(context, { statementTimeoutMs: STATEMENT_TIMEOUT_MS })
  const holder = await straight.session()
  const ids = [await straight.add(), await straight.add(), await straight.add()]
  const [first] = await straight.claim(holder)
  assert.ok(first !== undefined)
  await straight.store.sessions.end(holder)
  const silent = silenceAt(proxy, isCommit)
  const completing = proxied.act(COMPLETE_ONLY_PHASE, first.claim, { output: '1' }).catch((error: unknown) => error)
  await within('the silence', silent)
  await within('the sweep', straight.sweep(), SOON_MS)
  const states = await straight.store.jobs.states(ids)
  assert.deepEqual(
    ids.map((id) => states.get(id)),
    ['running', 'queued', 'queued'],
  )
  proxy.letPass()
  proxy.cut()
  await within('the end of the silence', completing)
})

test('dead workers are swept up after although whoever sweeps has fallen silent', async (context) => {
  const { proxy, proxied, straight } = await openProxiedBench(context, { statementTimeoutMs: STATEMENT_TIMEOUT_MS })
  const { claim } = await straight.running()
  const silent = silenceAt(proxy, mentions('advisory'))
  const sweeping = proxied.sweep().catch((error: unknown) => error)
  await within('the silence', silent)
  await straight.store.sessions.end(claim.holder)
  await within('the sweep', straight.sweep(), SOON_MS)
  assert.equal((await straight.details(claim.jobId)).state, 'queued')
  proxy.letPass()
  proxy.cut()
  await within('the end of the silence', sweeping)
})

test('the log is read although somebody who read it has fallen silent', async (context) => {
  const { proxy, proxied, straight } = await openProxiedBench(context, { statementTimeoutMs: STATEMENT_TIMEOUT_MS })
  const id = await straight.add()
  const silent = silenceAt(proxy, ({ statements }) =>
    statements.some((statement) => statement.includes('log_head SET')),
  )
  const reading = proxied.eventNames(id).catch((error: unknown) => error)
  await within('the silence', silent)
  assert.deepEqual(await within('the log', straight.eventNames(id), SOON_MS), ['job:queued'])
  proxy.letPass()
  proxy.cut()
  await within('the end of the silence', reading)
})

test('dead workers are swept up after although the look at all that is held takes too long', async (context) => {
  const { proxy, proxied, straight, database } = await openProxiedBench(context, {
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  })
  const { claim } = await straight.running()
  await straight.store.sessions.end(claim.holder)
  const other = await database.connect()
  context.after(() => other.close())
  const locking: Promise<void>[] = []
  proxy.decide(({ statements }) => {
    // The first of the look: from now on, until its own end, it finds no job.
    if (statements.some((statement) => statement.includes("set_config('statement_timeout'"))) {
      locking.push(other.run(`BEGIN; LOCK TABLE ${database.table('jobs')} IN ACCESS EXCLUSIVE MODE`))
    }
    return 'pass'
  })
  // So that the lock is there before its next statement is.
  proxy.delay(100)
  const { jobsReaped } = await within('the sweep', proxied.sweep(), SOON_MS)
  assert.equal(locking.length, 1, 'all that is held was looked at, once')
  await Promise.all(locking)
  await other.run('ROLLBACK')
  assert.equal(jobsReaped, 1)
  assert.equal((await straight.details(claim.jobId)).state, 'queued')
})
