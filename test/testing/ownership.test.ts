import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { handle } from 'millrace'
import { openTestMill } from 'millrace/testing'
import { bakeBread, bakeBreadInto, sendMail } from './bakery-jobs.ts'

const mailer = handle(sendMail, () => 'sent')

describe('assertOneOwner', () => {
  test('gives back who owns each type, also when its workers are gone', async () => {
    await using kit = await openTestMill()
    await kit.drain([mailer])
    await kit.worker([bakeBreadInto([])])
    assert.deepEqual(await kit.assertOneOwner([sendMail, 'bread.bake']), {
      'mail.send': 'post',
      'bread.bake': 'bakery',
    })
  })

  test('names the types that nobody owns, and those whose owner is not the one of their definition', async () => {
    await using kit = await openTestMill()
    await kit.drain([mailer])
    await kit.mill.transferOwner('mail.send', { from: 'post', to: 'courier' })
    await assert.rejects(kit.assertOneOwner([sendMail, bakeBread]), {
      code: 'ERR_ASSERTION',
      operator: 'assertOneOwner',
      actual: { 'mail.send': 'courier' },
      message: [
        'Expected each type to be owned by one service, the one that its definition names.',
        '  mail.send: the service "courier" owns it, and its definition names "post"',
        '  bread.bake: no service owns it, since none has started a worker for it',
      ].join('\n'),
    })
    assert.deepEqual(await kit.assertOneOwner(['mail.send']), { 'mail.send': 'courier' })
  })

  test('proves nothing of no types', async () => {
    await using kit = await openTestMill()
    await assert.rejects(kit.assertOneOwner([]), { code: 'ERR_ASSERTION', message: /\n  No type was named\.$/ })
  })
})

describe('assertEveryTypeOwned', () => {
  test('holds once each type that is known has an owner', async () => {
    await using kit = await openTestMill()
    await kit.mill.enqueue(sendMail, { to: 'ann' })
    await kit.drain([mailer])
    await kit.assertEveryTypeOwned()
  })

  test('names the types whose jobs wait for nobody', async () => {
    await using kit = await openTestMill()
    await kit.mill.enqueue(sendMail, { to: 'ann' })
    await kit.mill.enqueue(bakeBread, { loaves: 1 })
    await kit.mill.enqueue(bakeBread, { loaves: 2 }, { delay: '1h' })
    await kit.drain([mailer])
    await assert.rejects(kit.assertEveryTypeOwned(), {
      code: 'ERR_ASSERTION',
      operator: 'assertEveryTypeOwned',
      message: [
        'Expected every type to be owned by a service.',
        '  bread.bake: no service owns it, since none has started a worker for it; jobs that wait: 2',
      ].join('\n'),
    })
  })

  test('proves nothing of a store that knows no type', async () => {
    await using kit = await openTestMill()
    await assert.rejects(kit.assertEveryTypeOwned(), { message: /The store knows of no type at all\.$/ })
  })
})

describe('the workers of a type', () => {
  test('are those that live: one that has crashed is gone after its lease', async () => {
    await using kit = await openTestMill()
    const first = await kit.worker([mailer])
    await kit.worker([mailer])
    assert.equal((await kit.mill.getProcessorsByJobType('mail.send')).length, 2)
    assert.deepEqual(await kit.mill.getProcessorsByJobType('mail.send', 'web'), [])
    await first.crash()
    await kit.clock.advance('31s')
    await kit.mill.maintenance.runOnce()
    const left = await kit.mill.getProcessorsByJobType('mail.send', 'post')
    assert.deepEqual(
      left.map(({ service, state }) => [service, state]),
      [['post', 'live']],
    )
  })
})
