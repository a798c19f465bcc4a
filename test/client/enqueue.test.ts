import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'

import { defineJob } from '../../src/client/define-job.ts'
import { ConflictError, ForbiddenError, InvalidInputError } from '../../src/core/errors.ts'
import { openClient } from './open-client.ts'

const exportMap = defineJob('map.export', {
  service: 'workers',
  input: z.object({ region: z.string().length(3).toLowerCase(), dpi: z.number().default(300) }),
  phases: ['load', 'render'],
  queue: 'maps',
})
const sendMail = defineJob('mail.send', { service: 'workers' })

describe('enqueue', () => {
  test('stores the raw input and everything that was said, and hands back a handle', async (context) => {
    const { client } = openClient(context)
    const { outcome, job, state } = await client.enqueue(
      exportMap,
      { region: 'FRA' },
      { tenant: 'acme', owner: 'ann', labels: { course: 'c-12' }, priority: -3, key: 'order-7', unique: 'FRA' },
    )
    assert.deepEqual({ outcome, state, type: job.type }, { outcome: 'created', state: 'queued', type: 'map.export' })
    assert.equal(job.definition, exportMap)
    const read = await client.get(job)
    assert.deepEqual(read.input, { region: 'FRA' }, 'not what the schema makes of it')
    assert.equal(read.queue, 'maps')
    assert.equal(read.tenant, 'acme')
    assert.equal(read.owner, 'ann')
    assert.deepEqual(read.labels, { course: 'c-12' })
    assert.equal(read.priority, -3)
    assert.equal(read.key, 'order-7')
    assert.equal(read.unique, 'FRA')
    assert.deepEqual(read.phaseNames, ['load', 'render'])
    assert.equal(read.output, null)
  })

  test('without an input schema takes anything that is JSON, and nothing as null', async (context) => {
    const { client } = openClient(context)
    const nothing = await client.enqueue(sendMail)
    const anything = await client.enqueue(sendMail, [{ to: 'ann' }])
    assert.equal((await client.get(nothing.job)).input, null)
    assert.deepEqual((await client.get(anything.job)).input, [{ to: 'ann' }])
  })

  test('by the name of a type puts the job into the queue that the type is registered with', async (context) => {
    const { client, store } = openClient(context)
    const before = await client.enqueue('map.export', { region: 'FRA' })
    await store.jobTypes.register('workers', [{ type: 'map.export', queue: 'maps', policy: exportMap.policy }])
    const after = await client.enqueue('map.export', { region: 'FRA' })
    const own = await client.enqueue('map.export', { region: 'FRA' }, { queue: 'rush' })
    const queues = await Promise.all([before, after, own].map(({ job }) => client.get(job)))
    assert.deepEqual(
      queues.map(({ queue }) => queue),
      ['map.export', 'maps', 'rush'],
    )
  })

  test('with a delay or an instant ahead is scheduled, with one that has passed queued', async (context) => {
    const { client, runtime, store } = openClient(context)
    const now = await store.now()
    const delayed = await client.enqueue(sendMail, 1, { delay: '1m' })
    const dated = await client.enqueue(sendMail, 2, { runAt: new Date(now + 60_000) })
    const numbered = await client.enqueue(sendMail, 3, { runAt: now + 60_000 })
    const past = await client.enqueue(sendMail, 4, { runAt: now - 60_000 })
    assert.deepEqual(
      [delayed, dated, numbered, past].map(({ state }) => state),
      ['scheduled', 'scheduled', 'scheduled', 'queued'],
    )
    assert.equal((await client.get(dated.job)).runAt, now + 60_000)
    assert.ok(runtime.now() > 0)
  })

  test('with the key of an earlier job adds nothing and hands back that job', async (context) => {
    const { client } = openClient(context)
    const first = await client.enqueue(exportMap, { region: 'FRA' }, { key: 'order-7' })
    const second = await client.enqueue(exportMap, { region: 'FRA' }, { key: 'order-7' })
    assert.equal(second.outcome, 'duplicate')
    assert.equal(second.job.id, first.job.id)
    assert.equal((await client.counts()).queued, 1)
  })

  test('with the key of another input is refused and names that job', async (context) => {
    const { client } = openClient(context)
    const { job } = await client.enqueue(exportMap, { region: 'FRA' }, { key: 'order-7' })
    await assert.rejects(client.enqueue(exportMap, { region: 'ITA' }, { key: 'order-7' }), (error) => {
      assert.ok(error instanceof ConflictError)
      assert.equal(error.code, 'key-reused')
      assert.match(error.message, new RegExp(job.id))
      return true
    })
  })

  test('with a unique key that an unfinished job holds hands back that job, and adds one once it is over', async (context) => {
    const { client } = openClient(context)
    const first = await client.enqueue(sendMail, 1, { unique: 'ann' })
    const second = await client.enqueue(sendMail, 2, { unique: 'ann' })
    await client.cancel(first.job)
    const third = await client.enqueue(sendMail, 3, { unique: 'ann' })
    assert.deepEqual([second.outcome, second.job.id], ['duplicate', first.job.id])
    assert.equal(third.outcome, 'created')
  })

  test('refuses an input that its schema refuses, naming the place, and adds nothing', async (context) => {
    const { client, calls } = openClient(context)
    const wrong = { region: 'FRANCE', dpi: 'many' } as unknown as { region: string }
    await assert.rejects(client.enqueue(exportMap, wrong), (error) => {
      assert.ok(error instanceof InvalidInputError)
      assert.equal(error.code, 'input-invalid')
      assert.equal(error.path, 'input.region')
      assert.match(error.message, /and 1 more/)
      return true
    })
    assert.equal(calls('enqueue'), 0)
  })

  test('hears a schema that takes its time', async (context) => {
    const { client, calls } = openClient(context)
    const slow = defineJob('mail.slow', {
      service: 'workers',
      input: z.string().refine(async (to) => Promise.resolve(to !== 'bob'), 'bob gets no mail'),
    })
    await client.enqueue(slow, 'ann')
    await assert.rejects(client.enqueue(slow, 'bob'), { code: 'input-invalid', path: 'input' })
    assert.equal(calls('enqueue'), 1)
  })

  test('lets the schema judge what is stored, not what JSON leaves out', async (context) => {
    const { client } = openClient(context)
    const strict = defineJob('mail.strict', { service: 'workers', input: z.strictObject({ to: z.string() }) })
    const { outcome } = await client.enqueue(strict, { to: 'ann', cc: undefined } as { to: string })
    assert.equal(outcome, 'created')
  })

  test('refuses what is not JSON, naming the place', async (context) => {
    const { client } = openClient(context)
    await assert.rejects(client.enqueue(sendMail, { when: new Date(0) }), { code: 'json-invalid', path: 'input.when' })
    await assert.rejects(client.enqueue(sendMail, 'x'.repeat(300_000)), { code: 'too-large', path: 'input' })
  })

  test('lets a member enqueue only as the member, and an admin only in the own tenant', async (context) => {
    const { client, as } = openClient(context)
    const ann = as({ role: 'member', tenant: 'acme', user: 'ann' })
    const admin = as({ role: 'admin', tenant: 'acme' })
    const own = await ann.enqueue(sendMail, 1)
    const given = await admin.enqueue(sendMail, 1, { owner: 'bob' })
    const { tenant, owner } = await client.get(own.job)
    assert.deepEqual([tenant, owner], ['acme', 'ann'])
    assert.equal((await client.get(given.job)).owner, 'bob')
    await assert.rejects(ann.enqueue(sendMail, 1, { owner: 'bob' }), ForbiddenError)
    await assert.rejects(ann.enqueue(sendMail, 1, { tenant: 'umbrella' }), ForbiddenError)
    await assert.rejects(admin.enqueue(sendMail, 1, { tenant: 'umbrella' }), ForbiddenError)
  })
})

describe('a bad option of enqueue is refused by name, and nothing is added:', () => {
  const manyLabels = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`label-${index}`, 'x']))
  const wrong: readonly (readonly [string, Record<string, unknown>, string])[] = [
    ['one that is misspelt', { piority: 1 }, 'options.piority'],
    ['a tenant that is no text', { tenant: 7 }, 'tenant'],
    ['an empty owner', { owner: '' }, 'owner'],
    ['an owner that is too long', { owner: 'o'.repeat(201) }, 'owner'],
    ['a NUL in a key', { key: 'a\0b' }, 'key'],
    ['half a character in a key', { key: '\uD800' }, 'key'],
    ['an empty unique key', { unique: '' }, 'unique'],
    ['a label without a text', { labels: { course: 12 } }, 'labels.course'],
    ['a label with a bad name', { labels: { 'a course': 'x' } }, 'labels (a name in it)'],
    ['more labels than there may be', { labels: manyLabels }, 'labels'],
    ['labels in a list', { labels: ['x'] }, 'labels'],
    ['a priority between two', { priority: 0.5 }, 'priority'],
    ['a priority that is null', { priority: null }, 'priority'],
    ['a priority out of range', { priority: 1_000_001 }, 'priority'],
    ['a delay that is no duration', { delay: 'soon' }, 'delay'],
    ['an instant that is no date', { runAt: new Date(Number.NaN) }, 'runAt'],
    ['an instant as a text', { runAt: '2026-01-01' }, 'runAt'],
    ['an instant beyond ten years', { runAt: Date.UTC(2037, 0, 1) }, 'runAt'],
    ['a delay beside an instant', { delay: '1m', runAt: 1 }, 'runAt'],
    ['a queue with a bad name', { queue: 'the queue' }, 'queue'],
  ]
  for (const [what, options, path] of wrong) {
    test(what, async (context) => {
      const { client, calls } = openClient(context)
      await assert.rejects(client.enqueue(sendMail, null, options), (error) => {
        assert.ok(error instanceof InvalidInputError)
        assert.equal(error.path, path)
        return true
      })
      assert.equal(calls('enqueue'), 0)
    })
  }

  test('a definition that is none', async (context) => {
    const { client } = openClient(context)
    const none = { name: 7 } as unknown as typeof sendMail
    await assert.rejects(client.enqueue(none, null), { code: 'option-invalid', path: 'definition' })
    await assert.rejects(client.enqueue('mail send', null), { code: 'name-invalid', path: 'type' })
  })
})

test('what becomes of the options and the input of enqueue after the call is of no account', async (context) => {
  const { client } = openClient(context)
  const [input, options] = [{ to: 'ann' }, { key: 'one' }]
  const first = client.enqueue('mail.send', input, options)
  input.to = 'bob'
  options.key = 'other'
  const { outcome, job } = await first
  assert.deepEqual((await client.get(job)).input, { to: 'ann' })
  assert.deepEqual([outcome, (await client.enqueue('mail.send', input, options)).outcome], ['created', 'created'])
})

describe('enqueueMany', () => {
  test('what becomes of an item after the call is of no account, also where its type is given by its name', async (context) => {
    const { client } = openClient(context)
    const item = { definition: 'mail.send', key: 'one', input: { to: 'ann' } }
    const first = client.enqueueMany([item])
    item.key = 'other'
    item.input.to = 'bob'
    const second = client.enqueueMany([item])
    const results = (await Promise.all([first, second])).flat()
    assert.deepEqual(
      results.map(({ outcome }) => outcome),
      ['created', 'created'],
    )
    const inputs = await Promise.all(results.map(async ({ job }) => (await client.get(job)).input))
    assert.deepEqual(inputs, [{ to: 'ann' }, { to: 'bob' }])
  })

  test('adds jobs of several types in one go and answers in their order', async (context) => {
    const { client, calls } = openClient(context)
    const [map, mail, duplicate] = await client.enqueueMany([
      { definition: exportMap, input: { region: 'FRA' }, key: 'order-7' },
      { definition: 'mail.send', input: { to: 'ann' }, priority: 2 },
      { definition: exportMap, input: { region: 'FRA' }, key: 'order-7' },
    ])
    assert.deepEqual([map.job.type, mail.job.type, duplicate.outcome], ['map.export', 'mail.send', 'duplicate'])
    assert.equal(duplicate.job.id, map.job.id)
    assert.equal(calls('enqueue'), 1)
    assert.equal((await client.counts()).queued, 2)
  })

  test('of nothing does nothing', async (context) => {
    const { client, calls } = openClient(context)
    assert.deepEqual(await client.enqueueMany([]), [])
    assert.equal(calls('enqueue'), 0)
  })

  test('adds none where one is wrong, and says which', async (context) => {
    const { client, calls } = openClient(context)
    const items = [
      { definition: exportMap, input: { region: 'FRA' } },
      { definition: exportMap, input: { region: 'FRANCE' } },
    ]
    await assert.rejects(client.enqueueMany(items), { code: 'input-invalid', path: 'jobs[1].input.region' })
    const misspelt = [{ definition: sendMail, input: 1, lables: {} }]
    await assert.rejects(client.enqueueMany(misspelt), { code: 'option-invalid', path: 'jobs[0].lables' })
    assert.equal(calls('enqueue'), 0)
  })

  test('takes 5,000 jobs at once and refuses one more', async (context) => {
    const { client } = openClient(context)
    const items = Array.from({ length: 5_001 }, (_, index) => ({ definition: sendMail, input: index }))
    await assert.rejects(client.enqueueMany(items), { code: 'too-large', path: 'jobs' })
    assert.equal((await client.enqueueMany(items.slice(1))).length, 5_000)
  })
})
