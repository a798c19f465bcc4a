import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineJob } from '../../src/client/define-job.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { handle } from '../../src/worker/handler.ts'
import type { Handler } from '../../src/worker/handler.ts'
import { openWorkplace } from './open-workplace.ts'
import type { Workplace } from './open-workplace.ts'

const ping = defineJob('ping', { service: 'tests' })
const pong = defineJob('pong', { service: 'tests' })

interface Held {
  /** How many jobs each claim asked for, in their order. */
  readonly limits: number[]
  /** Lets the claim of that number, from 0, reach the store. */
  readonly release: (index: number) => Promise<void>
  /** Lets all of them reach it, and those that come. */
  readonly releaseAll: () => void
}

/** From now on every claim waits until it is released. */
function holdClaims({ faults, runtime }: Workplace): Held {
  const limits: number[] = []
  const gates: (() => void)[] = []
  faults.claim = ({ limit }) => {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    limits.push(limit)
    gates.push(() => resolve(undefined))
    return promise
  }
  return {
    limits,
    release: async (index) => {
      gates[index]?.()
      await runtime.advance(0)
    },
    releaseAll: () => {
      delete faults.claim
      for (const open of gates) open()
    },
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}

const hang = (): Promise<null> => new Promise(() => {})

describe('claims that are under way together', () => {
  test('are four at most', async (context) => {
    const place = await openWorkplace(context)
    const { limits, release } = holdClaims(place)
    await place.start([handle(ping, () => null)], { concurrency: 10_000 })
    for (let jobs = 0; jobs < 8; jobs += 1) {
      await place.enqueue(ping)
      await place.runtime.advance(0)
    }
    assert.deepEqual(limits, [64, 64, 64, 64])
    await release(1)
    assert.equal(limits.length, 5, 'a fifth follows the one that was answered')
  })

  for (const [concurrency, expected] of [
    [1, [1]],
    [10, [10]],
    [32, [32]],
    [33, [32, 1]],
    [100, [32, 32, 32, 4]],
    [200, [50, 50, 50, 50]],
    [1_200, [64, 64, 64, 64]],
  ] as const) {
    test(`ask for no more than the ${concurrency} slots that are free`, async (context) => {
      const place = await openWorkplace(context)
      const { limits, releaseAll } = holdClaims(place)
      const worker = await place.start([handle(ping, () => null)], { concurrency })
      for (let jobs = 0; jobs < 8; jobs += 1) {
        await place.enqueue(ping)
        await place.runtime.advance(0)
      }
      assert.deepEqual(limits, expected)
      releaseAll()
      await worker.idle()
      assert.equal((await place.store.jobs.counts({ scope: OPERATOR })).completed, 8)
    })
  }

  test('and the jobs that run fill the slots exactly', async (context) => {
    const place = await openWorkplace(context)
    for (let jobs = 0; jobs < 60; jobs += 1) await place.enqueue(ping)
    const { limits, release } = holdClaims(place)
    const worker = await place.start([handle(ping, hang)], { concurrency: 50 })
    await place.runtime.advance(0)
    await release(0)
    assert.equal(worker.running, 32)
    assert.deepEqual(limits, [32, 18])
    await release(1)
    assert.equal(worker.running, 50)
    assert.equal(sum(limits), 50)
  })
})

test('claims ask for twice as many once all that they asked for has come, and for five hundred at most', async (context) => {
  const place = await openWorkplace(context)
  await Promise.all(Array.from({ length: 2_000 }, () => place.enqueue(ping)))
  const { limits, release } = holdClaims(place)
  const worker = await place.start([handle(ping, hang)], { concurrency: 10_000 })
  await place.runtime.advance(0)
  for (let claim = 0; claim < 6; claim += 1) await release(claim)
  assert.deepEqual(limits, [64, 128, 256, 500, 500, 500, 500])
  assert.equal(worker.running, 1_948)
})

test('a claim that failed asks for half as many the next time', async (context) => {
  const place = await openWorkplace(context)
  await Promise.all(Array.from({ length: 200 }, () => place.enqueue(ping)))
  const limits: number[] = []
  place.faults.claim = ({ limit }) => {
    limits.push(limit)
    return limits.length === 1 ? new Error('too much at once') : undefined
  }
  const worker = await place.start([handle(ping, hang)], { concurrency: 10_000 })
  await place.runtime.advance(2_000)
  assert.deepEqual(limits.slice(0, 4), [64, 32, 64, 128])
  assert.equal(worker.running, 200)
})

test('a claim that is made just when another is answered is for no slot that the answer fills', async (context) => {
  const place = await openWorkplace(context)
  for (let jobs = 0; jobs < 8; jobs += 1) await place.enqueue(ping)
  const { limits, release } = holdClaims(place)
  const worker = await place.start([handle(ping, hang)], { concurrency: 2 })
  await place.runtime.advance(0)
  const releasing = release(0)
  // Each has a claim made in the same turn, if a slot is free.
  for (let steps = 0; steps < 100; steps += 1) {
    place.enqueue(ping).catch(() => {})
    await Promise.resolve()
  }
  await releasing
  assert.equal(worker.running, 2)
  assert.deepEqual(limits, [2])
})

describe('waiting until a worker is idle', () => {
  test('takes a claim that was begun later, and lasts until every claim has been answered', async (context) => {
    const place = await openWorkplace(context)
    const held = holdClaims(place)
    const worker = await place.start([handle(ping, () => null)], { concurrency: 10_000 })
    await place.runtime.advance(0)
    let idle = false
    const waiting = worker.idle().then(() => (idle = true))
    await place.runtime.advance(0)
    assert.equal(held.limits.length, 2)
    await held.release(1)
    assert.equal(idle, false, 'the earlier claim may still find something')
    await held.release(0)
    assert.equal(idle, false, 'the earlier claim says nothing of what was queued after it began')
    assert.equal(held.limits.length, 3)
    await held.release(2)
    assert.equal(idle, true)
    await waiting
  })

  test('lasts as long as a job runs that one of several claims has found', async (context) => {
    const place = await openWorkplace(context)
    const held = holdClaims(place)
    const gate = Promise.withResolvers<null>()
    const worker = await place.start([handle(ping, () => gate.promise)], { concurrency: 10_000 })
    await place.runtime.advance(0)
    let idle = false
    const waiting = worker.idle().then(() => (idle = true))
    await place.enqueue(ping)
    await place.runtime.advance(0)
    assert.equal(held.limits.length, 3)
    await held.release(2)
    assert.equal(worker.running, 1)
    held.releaseAll()
    await place.runtime.advance(5_000)
    assert.equal(idle, false)
    gate.resolve(null)
    await place.runtime.advance(0)
    assert.equal(idle, true)
    await waiting
  })

  test('lasts through the loss of its session: what a claim found then was not worked on', async (context) => {
    const place = await openWorkplace(context)
    const held = holdClaims(place)
    const worker = await place.start([handle(ping, () => null)], { concurrency: 10_000 })
    const id = await place.enqueue(ping)
    const states: Promise<string>[] = []
    const waiting = worker.idle().then(() => states.push(place.job(id).then(({ state }) => state)))
    await place.runtime.advance(0)
    place.sessionLost()
    held.releaseAll()
    await place.runtime.advance(5_000)
    await waiting
    assert.deepEqual(await Promise.all(states), ['completed'])
  })
})

describe('waiting until a stopped worker is idle', () => {
  for (const what of ['stops', 'has stopped'] as const) {
    test(`ends when it is asked for while it ${what}`, async (context) => {
      const place = await openWorkplace(context)
      const gate = Promise.withResolvers<null>()
      const worker = await place.start([handle(ping, () => gate.promise)])
      await place.enqueue(ping)
      await place.runtime.advance(0)
      const stopping = worker.stop()
      await place.runtime.advance(0)
      if (what === 'has stopped') {
        gate.resolve(null)
        await stopping
      }
      let idle = false
      void worker.idle().then(() => (idle = true))
      await place.runtime.advance(1_000)
      assert.equal(idle, true)
      gate.resolve(null)
      await stopping
    })
  }
})

describe('stopping a worker that claims', () => {
  test('waits for all claims under way, and gives back or runs what they find', async (context) => {
    const place = await openWorkplace(context)
    const held = holdClaims(place)
    const worker = await place.start([handle(ping, () => null)], { concurrency: 10_000 })
    const ids = [await place.enqueue(ping), await place.enqueue(ping), await place.enqueue(ping)]
    await place.runtime.advance(0)
    assert.equal(held.limits.length, 4)
    let stopped = false
    const stopping = worker.stop().then(() => (stopped = true))
    for (const index of [2, 0, 3]) {
      await held.release(index)
      assert.equal(stopped, false)
    }
    await held.release(1)
    await stopping
    assert.equal(held.limits.length, 4, 'no further claim')
    for (const id of ids) assert.equal((await place.job(id)).state, 'completed')
  })
})

describe('a worker whose store is told of a new job', () => {
  async function asksAtOnce(
    context: Parameters<typeof openWorkplace>[0],
    add: (place: Workplace) => Promise<unknown>,
    handler: Handler = handle(ping, () => null),
  ): Promise<number> {
    const place = await openWorkplace(context)
    const worker = await place.start([handler], { concurrency: 1 })
    await worker.idle()
    if (handler.functions.get('run') === hang) {
      await place.enqueue(ping)
      await place.runtime.advance(0)
      assert.equal(worker.running, 1)
    }
    let asked = 0
    place.faults.claim = () => {
      asked += 1
      return undefined
    }
    const adding = add(place)
    const atOnce = asked
    await adding
    return atOnce
  }

  test('asks for it in the very turn in which it is enqueued', async (context) => {
    assert.equal(await asksAtOnce(context, ({ enqueue }) => enqueue(ping)), 1)
  })

  test('begins it in the commit that adds it: it is running when the enqueue is answered', async (context) => {
    const place = await openWorkplace(context)
    const worker = await place.start([handle(ping, hang)], { concurrency: 1 })
    await worker.idle()
    const id = await place.enqueue(ping)
    assert.equal((await place.job(id)).state, 'running')
  })

  for (const [what, add] of [
    ['a job of a type that it has no handler for', ({ enqueue }) => enqueue(pong)],
    ['a job with a delay', ({ enqueue }) => enqueue(ping, {}, { delayMs: 1 })],
    ['a job with a time', ({ enqueue, runtime }) => enqueue(ping, {}, { runAt: runtime.now() + 1_000 })],
  ] as readonly (readonly [string, (place: Workplace) => Promise<unknown>])[]) {
    test(`does not ask in that turn for ${what}`, async (context) => {
      assert.equal(await asksAtOnce(context, add), 0)
    })
  }

  test('does not ask in that turn when no slot is free', async (context) => {
    assert.equal(await asksAtOnce(context, ({ enqueue }) => enqueue(ping), handle(ping, hang)), 0)
  })

  test('does not ask in that turn once it has been stopped, or where it is driven by hand', async (context) => {
    const place = await openWorkplace(context)
    const stopped = await place.start([handle(ping, () => null)])
    await stopped.stop()
    await place.start([handle(ping, () => null)], { manual: true })
    const { limits } = holdClaims(place)
    await place.enqueue(ping)
    await place.runtime.advance(5_000)
    assert.deepEqual(limits, [])
  })
})
