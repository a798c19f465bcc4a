/** One key, one job: whoever asks twice, in whatever way the first answer was lost, gets the job that is there already. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ConflictError, defineJob, handle } from '../../src/index.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import { eventNames, readLog } from '../support/job-history.ts'
import { listAll } from '../support/mill-accounts.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { scaled } from '../support/scale.ts'
import { order } from './programs/order-jobs.ts'
import type { Answer } from './programs/order-jobs.ts'

const invoice = defineJob('invoice.print', { service: 'shop' })

describe('an idempotency key', () => {
  test('that is used again answers with the first job and adds nothing, whatever has become of that job', async (context) => {
    const { mill, work, dump } = await openTestMill(context)
    const first = await mill.enqueue(order, { book: 7 }, { key: 'order-7' })
    assert.equal(first.outcome, 'created')
    const whileQueued = await dump()
    const again = await mill.enqueue(order, { book: 7 }, { key: 'order-7', priority: 9, delay: '1h' })
    assert.deepEqual(
      { outcome: again.outcome, id: again.job.id, state: again.state },
      { outcome: 'duplicate', id: first.job.id, state: 'queued' },
    )
    assert.deepEqual(await dump(), whileQueued)

    await work([handle(order, () => 'placed')])
    await mill.waitFor(first.job)
    const whileDone = await dump()
    const { outcome, state } = await mill.enqueue(order, { book: 7 }, { key: 'order-7' })
    assert.deepEqual({ outcome, state }, { outcome: 'duplicate', state: 'completed' })
    assert.deepEqual(await dump(), whileDone)
    assert.deepEqual(await eventNames(mill, first.job), ['job:queued', 'job:started', 'job:completed'])
  })

  test('belongs to a type and a tenant', async (context) => {
    const { mill } = await openTestMill(context)
    const places = [
      await mill.enqueue(order, null, { key: 'k' }),
      await mill.enqueue(invoice, null, { key: 'k' }),
      await mill.enqueue(order, null, { key: 'k', tenant: 'acme' }),
      await mill.enqueue(order, null, { key: 'k', tenant: 'umbrella' }),
    ]
    assert.deepEqual(
      places.map(({ outcome }) => outcome),
      ['created', 'created', 'created', 'created'],
    )
    const { outcome, job } = await mill.enqueue(order, null, { key: 'k', tenant: 'acme' })
    assert.deepEqual({ outcome, id: job.id }, { outcome: 'duplicate', id: places[2]?.job.id })
  })

  test('with another input is a conflict that names the first job, and nothing is added', async (context) => {
    const { mill, dump } = await openTestMill(context)
    const { job } = await mill.enqueue(order, { book: 7 }, { key: 'order-7' })
    const before = await dump()
    await assert.rejects(mill.enqueue(order, { book: 8 }, { key: 'order-7' }), (error) => {
      assert.ok(error instanceof ConflictError)
      assert.equal(error.code, 'key-reused')
      assert.equal(error.details['jobId'], job.id)
      assert.equal(error.details['path'], 'key')
      return true
    })
    assert.deepEqual(await dump(), before)
  })

  test('takes two inputs for the same that differ in nothing but the order of their properties', async (context) => {
    const { mill } = await openTestMill(context)
    await mill.enqueue(order, { book: 7, shelf: { row: 1, place: 2 } }, { key: 'k' })
    const { outcome } = await mill.enqueue(order, { shelf: { place: 2, row: 1 }, book: 7 }, { key: 'k' })
    assert.equal(outcome, 'duplicate')
    await assert.rejects(mill.enqueue(order, { shelf: [2, 1], book: 7 }, { key: 'k' }), { code: 'key-reused' })
  })

  test('is held for as long as its job is there, also after a day and a restart', async (context) => {
    const runtime = virtualRuntime()
    const { mill, open } = await openTestMill(context, { runtime })
    const { job } = await mill.enqueue(order, null, { key: 'k' })
    await runtime.advance(3 * 86_400_000)
    await mill.close()
    const reopened = await open()
    const again = await reopened.enqueue(order, null, { key: 'k' })
    assert.deepEqual({ outcome: again.outcome, id: again.job.id }, { outcome: 'duplicate', id: job.id })
  })
})

describe('a unique key', () => {
  test('is held by at most one unfinished job, and free once that is over', async (context) => {
    const { mill, work } = await openTestMill(context)
    const first = await mill.enqueue(order, 1, { unique: 'ann' })
    const second = await mill.enqueue(order, 2, { unique: 'ann' })
    assert.deepEqual({ outcome: second.outcome, id: second.job.id }, { outcome: 'duplicate', id: first.job.id })
    assert.equal((await mill.enqueue(order, 3, { unique: 'bob' })).outcome, 'created')
    assert.equal((await mill.enqueue(order, 3, { unique: 'ann', tenant: 'acme' })).outcome, 'created')
    await mill.cancel(first.job)
    const third = await mill.enqueue(order, 4, { unique: 'ann' })
    assert.equal(third.outcome, 'created')
    await assert.rejects(mill.retry(first.job), (error) => {
      assert.ok(error instanceof ConflictError)
      assert.equal(error.code, 'unique-held')
      return true
    })
    await work([handle(order, ({ input }) => input as number)])
    assert.equal((await mill.waitFor(third.job)).state, 'completed')
    assert.equal((await mill.retry(first.job)).state, 'queued')
    assert.equal((await mill.waitFor(first.job)).output, 1)
  })

  test('that is held when many ask at once goes to one of them', async (context) => {
    const { mill, open } = await openTestMill(context)
    const other = await open()
    const asked = Array.from({ length: 60 }, (_none, n) =>
      (n % 2 === 0 ? mill : other).enqueue(order, n, { unique: 'u' }),
    )
    const answers = await Promise.all(asked)
    assert.equal(new Set(answers.map(({ job }) => job.id)).size, 1)
    assert.equal(answers.filter(({ outcome }) => outcome === 'created').length, 1)
    assert.equal((await mill.counts()).queued, 1)
  })
})

describe('enqueueMany', () => {
  test('adds all or none: one refusal in the middle, and nothing is added', async (context) => {
    const { mill, dump } = await openTestMill(context)
    await mill.enqueue(order, 'first', { key: 'taken' })
    const before = await dump()
    const good = { definition: order, input: 'good', key: 'new' }
    const reused = { definition: order, input: 'another', key: 'taken' }
    await assert.rejects(mill.enqueueMany([good, good, good, reused, good]), (error) => {
      assert.ok(error instanceof ConflictError)
      assert.equal(error.code, 'key-reused')
      assert.equal(error.details['path'], 'jobs[3].key')
      return true
    })
    const invalid = { definition: order, input: Number.NaN }
    await assert.rejects(mill.enqueueMany([good, invalid]), { code: 'json-invalid', path: 'jobs[1].input' })
    assert.deepEqual(await dump(), before)
    assert.equal((await mill.enqueue(order, 'good', { key: 'new' })).outcome, 'created', 'its key was not kept either')
  })

  test('answers one by one, in the order of the list, and a key that stands in it twice makes one job', async (context) => {
    const { mill } = await openTestMill(context)
    const items = ['a', 'b', 'a', 'c', 'b'].map((key) => ({ definition: order, input: key, key }))
    const answers = await mill.enqueueMany(items)
    assert.deepEqual(
      answers.map(({ outcome }) => outcome),
      ['created', 'created', 'duplicate', 'created', 'duplicate'],
    )
    assert.equal(answers[0]?.job.id, answers[2]?.job.id)
    assert.equal(answers[1]?.job.id, answers[4]?.job.id)
    assert.deepEqual(await mill.enqueueMany([]), [])
    assert.equal((await mill.counts()).queued, 3)
  })

  test('takes 5,000 jobs as a whole, and no more', async (context) => {
    const { mill, dump } = await openTestMill(context)
    const items = Array.from({ length: 5_001 }, (_none, input) => ({ definition: order, input }))
    const before = await dump()
    await assert.rejects(mill.enqueueMany(items), { code: 'too-large', path: 'jobs' })
    assert.deepEqual(await dump(), before)
    await mill.enqueueMany(items.slice(1))
    assert.equal((await mill.counts()).queued, 5_000)
    assert.equal(new Set((await readLog(mill)).map(({ at }) => at)).size, 1, 'all of one moment: one commit')
  })
})

describe('a caller that dies', () => {
  test('in the middle of enqueueMany leaves whole batches only', async (context) => {
    const { mill, start } = await openTestMill(context)
    const size = 40
    for (let life = 1; life <= scaled(4); life += 1) {
      const caller = start('order-caller', { task: 'batches', count: size })
      await caller.hear('begun', { nth: 3 * life })
      const placed = caller.count('placed')
      await caller.kill()
      for (let batch = 0; ; batch += 1) {
        const { queued } = await mill.counts({ state: 'queued', labels: { batch: `b${batch}` } })
        if (queued === 0) {
          assert.ok(batch >= placed, `batch ${batch} was acknowledged and is not there`)
          break
        }
        assert.equal(queued % size, 0, `batch ${batch} is there in part`)
      }
      for (const { id } of await listAll(mill, { state: 'queued' })) await mill.cancel(id)
      assert.equal((await mill.counts()).queued, 0)
    }
  })

  test('before it heard the answer asks again under the same key and gets one job', async (context) => {
    const { mill, start } = await openTestMill(context)
    const count = 200
    const caller = start('order-caller', { task: 'singles', count })
    await caller.hear('placed', { nth: count / 4 })
    await caller.kill()
    const heard: Answer[] = []
    for (let nth = 1; nth <= caller.count('placed'); nth += 1) heard.push(await caller.hear<Answer>('placed', { nth }))
    const before = (await mill.counts()).queued
    assert.ok(before >= heard.length, 'what was acknowledged is there')
    const outcomes = { created: 0, duplicate: 0 }
    for (let n = 1; n <= count; n += 1) {
      const key = `order-${n}`
      const { outcome, job } = await mill.enqueue(order, { key }, { key })
      outcomes[outcome] += 1
      const known = heard.find((answer) => answer.key === key)
      if (known !== undefined) assert.deepEqual({ outcome, id: job.id }, { outcome: 'duplicate', id: known.id })
    }
    assert.deepEqual(outcomes, { created: count - before, duplicate: before })
    assert.equal((await mill.counts()).queued, count)
    context.diagnostic(`of ${count} orders ${before} were stored, ${heard.length} of them acknowledged`)
  })
})

test('a hundred callers of two processes that race with one key make one job', async (context) => {
  const { mill, start } = await openTestMill(context)
  const other = start('order-caller', { task: 'race', count: 50 })
  await other.hear('ready')
  const rounds = scaled(20)
  const winners = { here: 0, there: 0 }
  for (let round = 1; round <= rounds; round += 1) {
    const key = `race-${round}`
    other.tell('race', key)
    const ours = await Promise.all(Array.from({ length: 50 }, () => mill.enqueue(order, { key }, { key })))
    const theirs = await other.hear<readonly Answer[]>('answers', { nth: round })
    const answers = [...ours.map(({ outcome, job }) => ({ outcome, id: job.id })), ...theirs]
    assert.equal(answers.length, 100)
    assert.equal(new Set(answers.map(({ id }) => id)).size, 1)
    assert.equal(answers.filter(({ outcome }) => outcome === 'created').length, 1)
    winners[theirs.some(({ outcome }) => outcome === 'created') ? 'there' : 'here'] += 1
  }
  assert.equal((await mill.counts()).queued, rounds)
  context.diagnostic(`created here ${winners.here} times, there ${winners.there} times`)
})
