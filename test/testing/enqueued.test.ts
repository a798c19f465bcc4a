import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openTestMill } from 'millrace/testing'
import type { TestMill } from 'millrace/testing'
import { bakeBread, sendMail } from './bakery-jobs.ts'

async function openPost(): Promise<TestMill> {
  const kit = await openTestMill()
  await kit.mill.enqueue(sendMail, { to: 'ann', about: { order: '7' } }, { tenant: 'acme', labels: { order: '7' } })
  await kit.mill.enqueue(sendMail, { to: 'bob' }, { delay: '1h' })
  return kit
}

describe('assertEnqueued', () => {
  test('gives back the jobs that match, oldest first', async () => {
    await using kit = await openPost()
    const jobs = await kit.assertEnqueued(sendMail, { count: 2 })
    assert.deepEqual(
      jobs.map(({ input }) => input),
      [{ to: 'ann', about: { order: '7' } }, { to: 'bob' }],
    )
  })

  test('compares the members of the input that are named, at any depth', async () => {
    await using kit = await openPost()
    await kit.assertEnqueued(sendMail, { input: { about: { order: '7' } }, count: 1 })
    await kit.assertEnqueued(sendMail, { input: {}, count: 2 })
    await assert.rejects(kit.assertEnqueued(sendMail, { input: { about: { order: '8' } } }), { name: 'AssertionError' })
  })

  test('looks at state, tenant and labels too', async () => {
    await using kit = await openPost()
    await kit.assertEnqueued(sendMail, { tenant: 'acme', labels: { order: '7' }, state: 'queued', count: 1 })
    await kit.assertEnqueued(sendMail, { state: ['scheduled'], input: { to: 'bob' }, count: 1 })
    await assert.rejects(kit.assertEnqueued(sendMail, { tenant: 'other' }), { name: 'AssertionError' })
  })

  test('says what was asked for and which jobs of the type there are', async () => {
    await using kit = await openPost()
    const [ann, bob] = await kit.assertEnqueued(sendMail)
    await assert.rejects(kit.assertEnqueued(sendMail, { input: { to: 'eve' } }), {
      code: 'ERR_ASSERTION',
      operator: 'assertEnqueued',
      actual: [],
      message: [
        "Expected a job of type mail.send with input { to: 'eve' } to have been enqueued; there is none.",
        'Jobs of type mail.send:',
        `  ${ann?.id} queued { to: 'ann', about: { order: '7' } }`,
        `  ${bob?.id} scheduled { to: 'bob' }`,
      ].join('\n'),
    })
  })

  test('says how many there are where a count is wanted', async () => {
    await using kit = await openPost()
    await assert.rejects(kit.assertEnqueued(sendMail, { count: 3 }), {
      message: /^Expected 3 jobs of type mail\.send to have been enqueued; there are 2\.\n/,
    })
  })

  test('says which other types there are, where there is no job of this one', async () => {
    await using kit = await openPost()
    await assert.rejects(kit.assertEnqueued(bakeBread), {
      message: [
        'Expected a job of type bread.bake to have been enqueued; there is none.',
        'There are no jobs of type bread.bake, but of others:',
        '  mail.send: 2',
      ].join('\n'),
    })
    await using empty = await openTestMill()
    await assert.rejects(empty.assertEnqueued(bakeBread), { message: /\nThere are no jobs at all\.$/ })
  })

  test('waits for what is enqueued in the background', async () => {
    await using kit = await openTestMill()
    const asserted = kit.assertEnqueued(sendMail, { within: '10s' })
    await kit.clock.advance(0)
    await kit.mill.enqueue(sendMail, { to: 'ann' })
    assert.equal((await asserted).length, 1)
  })

  test('holds for a job that is over', async () => {
    await using kit = await openPost()
    const [first] = await kit.assertEnqueued(sendMail)
    await kit.mill.cancel(first?.id ?? '')
    await kit.assertEnqueued(sendMail, { count: 2 })
  })
})

describe('refuteEnqueued', () => {
  test('holds where no job matches', async () => {
    await using kit = await openPost()
    await kit.refuteEnqueued(bakeBread)
    await kit.refuteEnqueued(sendMail, { input: { to: 'eve' } })
  })

  test('lists the jobs that should not be there', async () => {
    await using kit = await openPost()
    const [ann] = await kit.assertEnqueued(sendMail)
    await assert.rejects(kit.refuteEnqueued(sendMail, { input: { to: 'ann' } }), {
      operator: 'refuteEnqueued',
      message: [
        "Expected no job of type mail.send with input { to: 'ann' } to have been enqueued; there is one.",
        'Found:',
        `  ${ann?.id} queued { to: 'ann', about: { order: '7' } }`,
      ].join('\n'),
    })
    await assert.rejects(kit.refuteEnqueued(sendMail), { message: /; there are 2\.\n/ })
  })
})
