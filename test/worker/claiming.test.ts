import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineJob } from '../../src/client/define-job.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import { handle } from '../../src/worker/handler.ts'
import { TurnBudget } from '../../src/worker/turn-budget.ts'
import { openWorkplace } from './open-workplace.ts'

const ping = defineJob('ping', { service: 'tests' })
const pong = defineJob('pong', { service: 'tests' })

describe('a worker', () => {
  test('never runs more jobs at a time than its concurrency, and runs them all', async (context) => {
    const { enqueue, start, runtime, store } = await openWorkplace(context)
    for (let index = 0; index < 50; index += 1) await enqueue(ping, index)
    let running = 0
    let most = 0
    const gates: (() => void)[] = []
    await start(
      [
        handle(ping, async () => {
          running += 1
          most = Math.max(most, running)
          const { promise, resolve } = Promise.withResolvers<void>()
          gates.push(resolve)
          await promise
          running -= 1
        }),
      ],
      { concurrency: 7 },
    )
    for (let ended = 0; ended < 50; ended += 1) {
      await runtime.advance(1)
      gates.shift()?.()
    }
    await runtime.advance(1)
    assert.equal(most, 7)
    const { completed } = await store.jobs.counts({ scope: { role: 'operator' } })
    assert.equal(completed, 50)
  })

  test('takes jobs in the order of their priority, then of their time', async (context) => {
    const { enqueue, start } = await openWorkplace(context)
    const order: unknown[] = []
    await enqueue(ping, 'third', { priority: 1 })
    await enqueue(pong, 'second', { priority: 0 })
    await enqueue(ping, 'first', { priority: -1 })
    const note = ({ input }: { readonly input: unknown }): void => void order.push(input)
    const worker = await start([handle(ping, note), handle(pong, note)], { concurrency: 1 })
    await worker.idle()
    assert.deepEqual(order, ['first', 'second', 'third'])
  })

  test('takes only jobs of the types that it has handlers for', async (context) => {
    const { enqueue, start, job } = await openWorkplace(context)
    const mine = await enqueue(ping)
    const other = await enqueue(pong)
    const worker = await start([handle(ping, () => null)])
    await worker.idle()
    assert.deepEqual([(await job(mine)).state, (await job(other)).state], ['completed', 'queued'])
  })

  test('begins a job as soon as it is enqueued, and one with a time as soon as that has come', async (context) => {
    const { enqueue, start, runtime } = await openWorkplace(context)
    const at: [unknown, number][] = []
    const worker = await start([handle(ping, ({ input }) => void at.push([input, runtime.monotonic()]))])
    await worker.idle()
    await enqueue(ping, 'later', { delayMs: 3_333 })
    await runtime.advance(100)
    await enqueue(ping, 'now')
    await runtime.advance(5_000)
    assert.deepEqual(at, [
      ['now', 100],
      ['later', 3_333],
    ])
  })

  test('notices a change while it was claiming', async (context) => {
    const { store, enqueue, start, runtime, job, faults } = await openWorkplace(context)
    const ids: string[] = []
    let pending: Promise<string> | null = null
    faults.claim = () => {
      pending ??= enqueue(ping).then((id) => {
        ids.push(id)
        return id
      })
      return undefined
    }
    const worker = await start([handle(ping, () => null)])
    await runtime.advance(10)
    assert.equal((await job(ids[0] ?? '')).state, 'completed')
    await worker.stop()
    assert.equal((await store.jobs.counts({ scope: { role: 'operator' } })).completed, 1)
  })

  test('goes on with the other jobs while one blocks its slot', async (context) => {
    const { enqueue, start, runtime, store } = await openWorkplace(context)
    for (let index = 0; index < 10; index += 1) await enqueue(ping, index)
    await start([handle(ping, ({ input }) => (input === 0 ? new Promise<null>(() => {}) : null))], { concurrency: 2 })
    await runtime.advance(10)
    const { completed, running } = await store.jobs.counts({ scope: { role: 'operator' } })
    assert.deepEqual({ completed, running }, { completed: 9, running: 1 })
  })

  test('asks again by itself after errors of the store, and logs them once', async (context) => {
    const { enqueue, start, runtime, job, faults, logs } = await openWorkplace(context)
    let asked = 0
    faults.claim = () => {
      asked += 1
      return new Error('the disk is away')
    }
    const id = await enqueue(ping)
    await start([handle(ping, () => null)])
    await runtime.advance(60_000)
    assert(asked > 5 && asked < 25, `it asked ${asked} times in a minute`)
    delete faults.claim
    await runtime.advance(10_000)
    assert.equal((await job(id)).state, 'completed')
    assert.equal(logs.filter(({ message }) => message.startsWith('The store cannot be asked for jobs')).length, 1)
    assert.equal(logs.filter(({ message }) => message === 'The store can be asked for jobs again.').length, 1)
  })

  test('asks the store rarely while there is nothing to do', async (context) => {
    const { start, runtime, faults } = await openWorkplace(context)
    let asked = 0
    const worker = await start([handle(ping, () => null)])
    await worker.idle()
    await runtime.advance(1_000)
    faults.claim = () => {
      asked += 1
      return undefined
    }
    await runtime.advance(10_000)
    assert(asked >= 9, `a missed change would be noticed: it asked ${asked} times`)
  })

  test('is idle when all that was queued has been worked on', async (context) => {
    const { enqueue, start, store } = await openWorkplace(context)
    const worker = await start([handle(ping, () => null)], { concurrency: 3 })
    await worker.idle()
    for (let round = 0; round < 5; round += 1) {
      for (let index = 0; index < 10; index += 1) await enqueue(ping)
      await Promise.all([worker.idle(), worker.idle()])
      const { completed } = await store.jobs.counts({ scope: { role: 'operator' } })
      assert.equal(completed, (round + 1) * 10)
    }
  })
})

describe('a worker that is driven by hand', () => {
  test('takes nothing but when it is told to, and reports what became of it', async (context) => {
    const { enqueue, start, runtime } = await openWorkplace(context)
    const worker = await start(
      [
        handle(ping, ({ input }) => {
          if (input === 'fatal') throw Object.assign(new Error('gone'), { status: 404 })
          if (input === 'retry') throw new Error('once more')
        }),
      ],
      { manual: true, concurrency: 4 },
    )
    for (const input of ['fine', 'fatal', 'retry', 'fine', 'over']) await enqueue(ping, input)
    await runtime.advance(5_000)
    const none = { claimed: 0, completed: 0, retrying: 0, failed: 0, cancelled: 0, released: 0, lost: 0 }
    assert.deepEqual(await worker.runOnce(), { ...none, claimed: 4, completed: 2, failed: 1, retrying: 1 })
    assert.deepEqual(await worker.runOnce(), { ...none, claimed: 1, completed: 1 })
    assert.deepEqual(await worker.runOnce(), none)
  })

  test('is idle when nothing of it runs, whatever is queued', async (context) => {
    const { enqueue, start, runtime, job, faults } = await openWorkplace(context)
    const [claim, gate] = [Promise.withResolvers<undefined>(), Promise.withResolvers<null>()]
    const worker = await start([handle(ping, () => gate.promise)], { manual: true, concurrency: 1 })
    const id = await enqueue(ping)
    await enqueue(ping)
    await worker.idle()
    faults.claim = () => claim.promise
    const once = worker.runOnce()
    let idle = false
    const waiting = worker.idle().then(() => (idle = true))
    await runtime.advance(0)
    assert.equal(idle, false, 'a claim is under way')
    claim.resolve(undefined)
    await runtime.advance(0)
    assert.equal(idle, false, 'a job runs')
    gate.resolve(null)
    await waiting
    assert.equal((await job(id)).state, 'completed')
    assert.equal((await once).completed, 1)
  })

  test('is idle although a claim of it has failed', async (context) => {
    const { start, faults } = await openWorkplace(context)
    const worker = await start([handle(ping, () => null)], { manual: true })
    faults.claim = () => new Error('the disk is away')
    await assert.rejects(worker.runOnce(), /the disk is away/)
    await worker.idle()
  })
})

describe('the turn budget', () => {
  test('lets the event loop turn while handlers use up all the time there is', async () => {
    const runtime = systemRuntime()
    const turns = new TurnBudget(runtime)
    let turned = 0
    let waited = 0
    const count = (): void => {
      turned += 1
      if (waited < 5) runtime.after(0, count)
    }
    runtime.after(0, count)
    const giveUpAt = runtime.monotonic() + 10_000
    while (waited < 5 && runtime.monotonic() < giveUpAt) {
      if (turns.spent) {
        await turns.wait()
        waited += 1
      }
      await Promise.resolve()
    }
    assert.equal(waited, 5)
    assert(turned >= 5, `the loop turned ${turned} times while the budget was spent 5 times`)
  })

  test('lets those who wait go on one by one, each looking at the time again', async () => {
    const runtime = systemRuntime()
    const turns = new TurnBudget(runtime)
    const spend = (): void => {
      const until = runtime.monotonic() + 11
      while (runtime.monotonic() < until);
    }
    assert.equal(turns.spent, false)
    spend()
    let turned = 0
    const atTurn: number[] = []
    let left = 3
    const count = (): void => {
      turned += 1
      if (left > 0) runtime.after(0, count)
    }
    runtime.after(0, count)
    const work = async (): Promise<void> => {
      await turns.wait()
      atTurn.push(turned)
      spend()
      left -= 1
    }
    await Promise.all([work(), work(), work()])
    assert.equal(new Set(atTurn).size, 3)
  })
})
