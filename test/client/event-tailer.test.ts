import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { defineJob } from '../../src/client/define-job.ts'
import { EventTailer } from '../../src/events/event-tailer.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Scope } from '../../src/core/scope.ts'
import type { LogFields } from '../../src/runtime/logger.ts'
import type { EventQuery, EventRecord } from '../../src/store/events.ts'
import { openClient } from './open-client.ts'
import type { ClientBench } from './open-client.ts'

const sendMail = defineJob('mail.send', { service: 'workers' })

interface TailerBench extends ClientBench {
  readonly tailer: EventTailer
  /** What was asked of the log. */
  readonly reads: readonly EventQuery[]
  readonly warnings: readonly LogFields[]
  /** The next so many reads fail. */
  readonly breakReads: (count: number) => void
}

function openTailer(context: Parameters<typeof openClient>[0]): TailerBench {
  const bench = openClient(context)
  const reads: EventQuery[] = []
  const warnings: LogFields[] = []
  let broken = 0
  const events = {
    latest: () => bench.store.events.latest(),
    read: async (query: EventQuery) => {
      reads.push(query)
      broken -= 1
      if (broken >= 0) throw new RangeError('no disk')
      return bench.store.events.read(query)
    },
  }
  const logger = {
    info: () => undefined,
    warn: (_message: string, fields: LogFields = {}) => void warnings.push(fields),
    error: () => undefined,
  }
  const tailer = new EventTailer({ store: { ...bench.store, events }, runtime: bench.runtime, logger })
  context.after(() => tailer.close())
  const breakReads = (count: number): void => void (broken = count)
  return { ...bench, tailer, reads, warnings, breakReads }
}

/** A listener that keeps what it was told, and a promise of the moment when it has so many. */
class Ear {
  readonly heard: EventRecord[] = []
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = []

  readonly listener = (event: EventRecord): void => {
    this.heard.push(event)
    for (const { count, resolve } of this.#waiting) if (this.heard.length >= count) resolve()
  }

  has(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push({ count, resolve })
    if (this.heard.length >= count) resolve()
    return promise
  }

  get names(): readonly string[] {
    return this.heard.map(({ name }) => name)
  }
}

async function turns(): Promise<void> {
  for (let count = 0; count < 5; count += 1) {
    const { promise, resolve } = Promise.withResolvers<void>()
    setImmediate(resolve)
    await promise
  }
}

const everything = { scope: OPERATOR, jobId: null, after: null }

describe('the event tailer', () => {
  test('tells what is committed after the subscription, in order, and nothing before', async (context) => {
    const { tailer, client, complete } = openTailer(context)
    await client.enqueue(sendMail)
    const ear = new Ear()
    await tailer.subscribe({ ...everything, listener: ear.listener })
    await complete('mail.send', null)
    const { job } = await client.enqueue(sendMail)
    await client.cancel(job)
    await ear.has(4)
    assert.deepEqual(ear.names, ['job:started', 'job:completed', 'job:queued', 'job:cancelled'])
  })

  test('resumes after a position without a gap or a repeat, and goes on live', async (context) => {
    const { tailer, client } = openTailer(context)
    for (let count = 0; count < 700; count += 1) await client.enqueue(sendMail, count)
    const ear = new Ear()
    await tailer.subscribe({ scope: OPERATOR, jobId: null, after: 3, listener: ear.listener })
    await client.enqueue(sendMail)
    await ear.has(698)
    assert.deepEqual(
      ear.heard.map(({ position }) => position),
      Array.from({ length: 698 }, (_, index) => index + 4),
    )
  })

  test('tells the events of one job alone, also from far behind without reading all others', async (context) => {
    const { tailer, client, reads } = openTailer(context)
    const { job } = await client.enqueue(sendMail, 0)
    for (let count = 0; count < 1_200; count += 1) await client.enqueue(sendMail, count)
    const ear = new Ear()
    await tailer.subscribe({ scope: OPERATOR, jobId: job.id, after: 0, listener: ear.listener })
    await ear.has(1)
    await turns()
    assert.ok(reads.length <= 2, `${reads.length} reads`)
    await client.enqueue(sendMail)
    await client.cancel(job)
    await ear.has(2)
    assert.deepEqual(ear.names, ['job:queued', 'job:cancelled'])
    assert.ok(ear.heard.every(({ jobId }) => jobId === job.id))
  })

  test('tells each scope what it may see, by one read for all, also from far behind', async (context) => {
    const { tailer, client, reads } = openTailer(context)
    const add = (owner: string, tenant = 'acme'): Promise<unknown> => client.enqueue(sendMail, 0, { tenant, owner })
    await add('ann')
    for (let count = 0; count < 1_200; count += 1) await add('bob')
    await add('cem', 'other')
    const scopes: readonly Scope[] = [
      { role: 'member', tenant: 'acme', user: 'ann' },
      { role: 'member', tenant: 'other', user: 'ann' },
      { role: 'admin', tenant: 'other' },
    ]
    const ears = await Promise.all(
      scopes.map(async (scope) => {
        const ear = new Ear()
        await tailer.subscribe({ scope, jobId: null, after: 0, listener: ear.listener })
        return ear
      }),
    )
    await ears[2]?.has(1)
    await turns()
    const before = reads.length
    await add('ann')
    await add('cem', 'other')
    await Promise.all([ears[0]?.has(2), ears[2]?.has(2)])
    assert.deepEqual(
      ears.map(({ heard }) => heard.map(({ tenant, owner }) => `${tenant} ${owner}`)),
      [['acme ann', 'acme ann'], [], ['other cem', 'other cem']],
    )
    assert.ok(before <= 7, `${before} reads for three who were far behind`)
    assert.ok(reads.length - before <= 4, `${reads.length - before} reads for two events`)
  })

  test('costs one read a change however many listen', async (context) => {
    const { tailer, client, reads } = openTailer(context)
    const ears = Array.from({ length: 100 }, () => new Ear())
    for (const { listener } of ears) await tailer.subscribe({ ...everything, listener })
    await turns()
    const before = reads.length
    for (let count = 1; count <= 10; count += 1) {
      await client.enqueue(sendMail)
      await Promise.all(ears.map((ear) => ear.has(count)))
    }
    await turns()
    assert.ok(reads.length - before <= 20, `${reads.length - before} reads: one that finds it, one that finds no more`)
  })

  test('goes on for everyone when a listener throws, rejects or hangs', async (context) => {
    const { tailer, client, warnings } = openTailer(context)
    const ear = new Ear()
    let told = 0
    const listeners = [
      () => {
        told += 1
        throw new RangeError('no ears')
      },
      () => Promise.reject(new RangeError('no ears either')),
      () => Promise.withResolvers<void>().promise,
      ear.listener,
    ]
    for (const listener of listeners) await tailer.subscribe({ ...everything, listener })
    for (let count = 0; count < 5; count += 1) await client.enqueue(sendMail)
    await ear.has(5)
    await turns()
    assert.equal(told, 5)
    assert.equal(warnings.length, 10)
    assert.equal(warnings[0]?.['event'], 'job:queued')
  })

  test('lets a slow listener read on from the log when it is ready, and misses nothing', async (context) => {
    const { tailer, client } = openTailer(context)
    const gate = Promise.withResolvers<void>()
    const slow = new Ear()
    const quick = new Ear()
    const listener = async (event: EventRecord): Promise<void> => {
      await gate.promise
      slow.listener(event)
    }
    await tailer.subscribe({ ...everything, listener })
    await tailer.subscribe({ ...everything, listener: quick.listener })
    for (let count = 1; count <= 600; count += 1) await client.enqueue(sendMail, count)
    await quick.has(600)
    assert.equal(slow.heard.length, 0)
    gate.resolve()
    await slow.has(600)
    assert.deepEqual(
      slow.heard.map(({ position }) => position),
      quick.heard.map(({ position }) => position),
    )
  })

  test('tells nothing after the way out was taken, and reads no more once nobody listens', async (context) => {
    const { tailer, client, reads } = openTailer(context)
    const ear = new Ear()
    const unsubscribe = await tailer.subscribe({ ...everything, listener: ear.listener })
    await client.enqueue(sendMail)
    await ear.has(1)
    unsubscribe()
    await turns()
    const before = reads.length
    await client.enqueue(sendMail)
    await turns()
    assert.equal(ear.heard.length, 1)
    assert.equal(reads.length, before)

    await tailer.subscribe({ ...everything, listener: ear.listener })
    await client.enqueue(sendMail)
    await ear.has(2)
    assert.deepEqual(
      ear.heard.map(({ position }) => position),
      [1, 3],
    )
  })

  test('lets a listener take the way out in the middle of what it is told', async (context) => {
    const { tailer, client } = openTailer(context)
    await client.enqueueMany([{ definition: sendMail }, { definition: sendMail }])
    let told = 0
    const unsubscribe = await tailer.subscribe({
      scope: OPERATOR,
      jobId: null,
      after: 0,
      listener: () => {
        told += 1
        unsubscribe()
      },
    })
    await turns()
    assert.equal(told, 1)
  })

  test('tries again when the log could not be read', async (context) => {
    const { tailer, client, warnings, breakReads, runtime } = openTailer(context)
    const ear = new Ear()
    breakReads(2)
    await tailer.subscribe({ ...everything, listener: ear.listener })
    await client.enqueue(sendMail)
    await turns()
    await runtime.advance(1_000)
    await runtime.advance(1_000)
    await ear.has(1)
    assert.deepEqual(
      warnings.map(({ error }) => error),
      ['no disk', 'no disk'],
    )
  })

  test('waits for no other try once it is closed', async (context) => {
    const { tailer, breakReads, warnings, runtime } = openTailer(context)
    breakReads(1)
    await tailer.subscribe({ ...everything, listener: () => undefined })
    await turns()
    assert.deepEqual([warnings.length, runtime.waiting], [1, 1])
    await tailer.close()
    assert.equal(runtime.waiting, 0)
  })
})
