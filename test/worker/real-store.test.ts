/** The worker on a real file with the store's own thread and the real clock: what a virtual clock cannot show. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { defineJob } from '../../src/client/define-job.ts'
import type { JobDefinition } from '../../src/core/definition.ts'
import { CANCEL } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import { openSqliteStore } from '../../src/sqlite/open.ts'
import type { Store } from '../../src/store/store.ts'
import { handle } from '../../src/worker/handler.ts'
import type { Handler } from '../../src/worker/handler.ts'
import { startWorker } from '../../src/worker/start-worker.ts'
import type { WorkOptions } from '../../src/worker/start-worker.ts'
import type { Worker } from '../../src/worker/worker.ts'
import { blockUntil } from '../support/block-until.ts'
import { median } from '../support/median.ts'
import { scaled } from '../support/scale.ts'
import { within } from '../support/wait-for-event.ts'

const runtime = systemRuntime()
const logger = { info: () => {}, warn: () => {}, error: () => {} }
const service = 'tests'

interface File {
  readonly path: string
  /** Another way to the same file, as another process has one. */
  open(): Promise<Store>
  start(store: Store, handlers: readonly Handler[], options?: WorkOptions): Promise<Worker>
}

function openFile(context: TestContext): File {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-worker-'))
  const closing: (() => Promise<unknown>)[] = []
  context.after(async () => {
    for (const close of closing.toReversed()) await close()
    rmSync(folder, { recursive: true })
  })
  const path = join(folder, 'jobs.db')
  return {
    path,
    open: async () => {
      const store = await openSqliteStore({ url: `sqlite:${path}`, runtime, logger })
      closing.push(() => store.close())
      return store
    },
    start: async (store, handlers, options = {}) => {
      const worker = await startWorker({ store, runtime, logger, service, handlers, ...options })
      closing.push(() => worker.stop({ timeout: '1s' }).catch(() => {}))
      return worker
    },
  }
}

function newIds(count: number): readonly string[] {
  return Array.from({ length: count }, () => runtime.uuid())
}

async function enqueue(
  store: Store,
  { name: type, queue, policy }: JobDefinition,
  count: number,
  ids: readonly string[] = newIds(count),
): Promise<string[]> {
  const job = { type, queue, policy, tenant: '', owner: null, labels: {}, priority: 0, delayMs: 0, runAt: null }
  const jobs = ids.map((id, index) => ({ ...job, id, key: null, uniqueKey: null, input: `${index}` }))
  return (await store.jobs.enqueue(jobs)).map(({ id }) => id)
}

async function stateOf(store: Store, id: string): Promise<string | undefined> {
  return (await store.jobs.states([id])).get(id)
}

const wait = defineJob('wait', { service })

test('a cancel through another connection reaches the handler, and the job is cancelled', async (context) => {
  const file = openFile(context)
  const [mine, theirs] = [await file.open(), await file.open()]
  const took: number[] = []
  for (let round = 0; round < scaled(5); round += 1) {
    const running = Promise.withResolvers<void>()
    const aborted = Promise.withResolvers<number>()
    const worker = await file.start(mine, [
      handle(wait, ({ signal }) => {
        running.resolve()
        const { promise, reject } = Promise.withResolvers<null>()
        signal.addEventListener('abort', () => {
          aborted.resolve(runtime.monotonic())
          reject(signal.reason as Error)
        })
        return promise
      }),
    ])
    const [jobId = ''] = await enqueue(theirs, wait, 1)
    await running.promise
    const cancelledAt = runtime.monotonic()
    const values = { actor: 'ann', reason: null }
    await theirs.claims.apply({ jobId, plan: CANCEL, scope: OPERATOR, claim: null, values, detail: null })
    took.push((await aborted.promise) - cancelledAt)
    await worker.idle()
    assert.equal(await stateOf(theirs, jobId), 'cancelled')
    await worker.stop()
  }
  // Without the word it would be the second after which a worker looks by itself.
  assert(median(took) < 500, `it took ${took.join(', ')} ms`)
})

test('jobs in hand that another connection cancels while the thread is blocked never begin', async (context) => {
  const file = openFile(context)
  const [mine, theirs] = [await file.open(), await file.open()]
  const began: string[] = []
  const cancelled: string[] = []
  const cancelling: Promise<unknown>[] = []
  const worker = await file.start(
    mine,
    [
      handle(wait, async ({ jobId }) => {
        began.push(jobId)
        if (began.length !== 11) return
        const values = { actor: 'ann', reason: null }
        for (const id of cancelled) {
          const call = { jobId: id, plan: CANCEL, scope: OPERATOR, claim: null, values, detail: null }
          cancelling.push(theirs.claims.apply(call))
        }
        // The calls travel at the end of the turn, which is behind this.
        await Promise.resolve()
        // And for longer than the worker takes what it knows on trust.
        blockUntil(file.path, cancelled.length, 'cancel_requested_at IS NOT NULL', 200)
      }),
    ],
    { concurrency: 1 },
  )
  await enqueue(mine, wait, 10)
  await worker.idle()
  const ids = newIds(60)
  cancelled.push(...ids.filter((_id, index) => index % 2 === 1))
  await enqueue(mine, wait, 60, ids)
  await worker.idle()
  await Promise.all(cancelling)
  assert.deepEqual(
    began.slice(10),
    ids.filter((_id, index) => index % 2 === 0),
  )
  const states = await mine.jobs.states(cancelled)
  assert(cancelled.every((id) => states.get(id) === 'cancelled'))
})

test('a handler that blocks the event loop for longer than the lease keeps its job', async (context) => {
  const file = openFile(context)
  const [mine, theirs] = [await file.open(), await file.open()]
  const worker = await file.start(
    mine,
    [
      handle(wait, () => {
        const until = runtime.monotonic() + 5_000
        while (runtime.monotonic() < until);
        return 'blocked'
      }),
    ],
    { lease: '2s' },
  )
  const [id = ''] = await enqueue(theirs, wait, 1)
  await worker.idle()
  const { jobsReaped } = await theirs.claims.sweep({ graceMs: 0, random: 0 })
  assert.equal(jobsReaped, 0)
  const job = await theirs.jobs.get(id, OPERATOR)
  assert(typeof job === 'object')
  assert.deepEqual([job.state, job.attempt, job.output], ['completed', 1, '"blocked"'])
})

test('two workers on one file run each job once', async (context) => {
  const file = openFile(context)
  const stores = [await file.open(), await file.open()]
  const [first] = stores
  assert(first !== undefined)
  const ids = await enqueue(first, wait, scaled(1_000))
  const ran = new Map<string, number>()
  const handler = handle(wait, ({ jobId }) => void ran.set(jobId, (ran.get(jobId) ?? 0) + 1))
  const workers = await Promise.all(stores.map((store) => file.start(store, [handler], { concurrency: 20 })))
  // What one of them gives back while it is held up the other, who was idle by then, takes.
  const allDone = async (): Promise<void> => {
    for (;;) {
      await Promise.all(workers.map((worker) => worker.idle()))
      const { completed, failed } = await first.jobs.counts({ scope: OPERATOR })
      assert.equal(failed, 0)
      if (completed === ids.length) return
    }
  }
  await within('the end of all jobs', allDone())
  assert.equal(ran.size, ids.length)
  assert([...ran.values()].every((times) => times === 1))
})

test('handlers that never wait for anything leave the rest of the process its turns', async (context) => {
  const file = openFile(context)
  const store = await file.open()
  await enqueue(store, wait, 40)
  let turns = 0
  let draining = true
  const count = (): void => {
    turns += 1
    if (draining) runtime.after(0, count)
  }
  const spin = (): void => {
    const until = runtime.monotonic() + 5
    while (runtime.monotonic() < until);
  }
  let before = 0
  const most: number[] = []
  const worker = await file.start(
    store,
    [
      handle(wait, () => {
        if (turns !== before) most.push(0)
        before = turns
        most[most.length - 1] = (most.at(-1) ?? 0) + 1
        spin()
      }),
    ],
    { concurrency: 40 },
  )
  runtime.after(0, count)
  await worker.idle()
  draining = false
  assert(Math.max(...most) <= 4, `${Math.max(...most)} handlers of 5 ms ran in one turn`)
})
