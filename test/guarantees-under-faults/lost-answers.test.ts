/**
 * A connection breaks around a COMMIT: before the server hears of it, after it has carried it out and before its answer, or just then. Whatever
 * is answered in the end is true: nothing is lost, and nothing is done twice. The moments come from a seed, which is printed; MILLRACE_SEED=<seed>
 * chooses them again.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { CANCEL, CHECKPOINT, COMPLETE_ONLY_PHASE, FAIL_RETRY, RELEASE } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { seededWords } from '../../src/runtime/seeded-random.ts'
import type { EventName } from '../../src/core/events.ts'
import type { ClaimedJob } from '../../src/store/claims.ts'
import { attemptError, THREE_PHASES } from '../support/contract-bench.ts'
import type { Exchange, Fate } from '../support/proxied-connection.ts'
import { openProxiedBench } from '../support/proxied-bench.ts'
import type { ProxiedBench } from '../support/proxied-bench.ts'
import { scaled } from '../support/scale.ts'
import { seedOf } from '../support/seed.ts'
import { isCommit } from '../support/statements.ts'

const ROUNDS = scaled(6)
/** In a row, for one act. */
const MOST_FAULTS = 4
const FAULTS: readonly Fate[] = ['lose-answer', 'lose-request', 'race']

/** Puts things in order, and answers what does the act by the store behind the proxy, and checks what came of it. */
type Prepare = (bench: ProxiedBench) => Promise<() => Promise<void>>

const LATER_MS = 3_600_000

const acts: Readonly<Record<string, Prepare>> = {
  'enqueues without a key': async ({ proxied, straight }) => {
    const jobs = [proxied.job(), proxied.job({ delayMs: LATER_MS }), proxied.job({ labels: { a: '1' } })]
    return async () => {
      const outcomes = await Promise.all(jobs.map((job) => proxied.store.jobs.enqueue([job])))
      assert.deepEqual(
        outcomes.flat(),
        jobs.map(({ id, delayMs }) => ({ outcome: 'created', id, state: delayMs === 0 ? 'queued' : 'scheduled' })),
      )
      await assertEvents(straight, jobs[0]?.id, ['job:queued'])
      await assertEvents(straight, jobs[1]?.id, ['job:scheduled'])
    }
  },
  'enqueues with a key': async ({ proxied, straight }) => {
    const key = proxied.runtime.uuid()
    const job = proxied.job({ key })
    return async () => {
      assert.deepEqual(await proxied.store.jobs.enqueue([job]), [{ outcome: 'created', id: job.id, state: 'queued' }])
      const [duplicate] = await straight.store.jobs.enqueue([straight.job({ key })])
      assert.deepEqual(duplicate, { outcome: 'duplicate', id: job.id, state: 'queued' })
      await assertEvents(straight, job.id, ['job:queued'])
    }
  },
  'opens a session and claims': async ({ proxied, straight }) => {
    const ids = [await straight.add(), await straight.add(), await straight.add()]
    return async () => {
      const holder = await proxied.session()
      const claimed = await proxied.claim(holder, 2)
      assert.deepEqual(
        claimed.map(({ claim: { jobId, fence } }) => [jobId, fence]),
        ids.slice(0, 2).map((id) => [id, 1]),
      )
      const states = await straight.store.jobs.states(ids)
      assert.deepEqual([...states.values()].toSorted(), ['queued', 'running', 'running'])
      await assertEvents(straight, ids[0], ['job:queued', 'job:started'])
    }
  },
  'adds a job and takes it in the same transaction': async ({ proxied, straight }) => {
    const holder = await proxied.session()
    const job = proxied.job({ type: 'map.new' })
    return async () => {
      const asked: Promise<readonly ClaimedJob[]>[] = []
      const leave = proxied.store.onEnqueue(() => asked.push(proxied.claim(holder, 1, ['map.new'])))
      assert.deepEqual(await proxied.store.jobs.enqueue([job]), [{ outcome: 'created', id: job.id, state: 'queued' }])
      leave()
      const taken = (await Promise.all(asked)).flat()
      assert.deepEqual(
        taken.map(({ claim: { jobId, fence } }) => [jobId, fence]),
        [[job.id, 1]],
      )
      await assertEvents(straight, job.id, ['job:queued', 'job:started'])
    }
  },
  completes: async ({ proxied, straight }) => {
    const holder = await straight.session()
    await straight.add()
    await straight.add()
    const claimed = await straight.claim(holder)
    return async () => {
      const results = await Promise.all(
        claimed.map(({ claim }) => proxied.act(COMPLETE_ONLY_PHASE, claim, { output: '1' })),
      )
      assert.deepEqual(
        results.map(({ applied }) => applied),
        [true, true],
      )
      for (const { claim } of claimed) {
        await assertEvents(straight, claim.jobId, ['job:queued', 'job:started', 'job:completed'])
        assert.equal((await straight.details(claim.jobId)).output, '1')
      }
    }
  },
  'ends a phase': async ({ proxied, straight }) => {
    const { claim } = await straight.running({ policy: THREE_PHASES, type: 'map.three' })
    return async () => {
      await proxied.must(CHECKPOINT, claim, { progress: 33 }, { result: '"loaded"', detail: '{"phase":"load"}' })
      const { phase, phases } = await straight.details(claim.jobId)
      assert.deepEqual([phase, phases[0]?.result], [1, '"loaded"'])
      await assertEvents(straight, claim.jobId, ['job:queued', 'job:started', 'phase:completed'])
    }
  },
  'fails, to be tried again': async ({ proxied, straight }) => {
    const { claim } = await straight.running()
    return async () => {
      await proxied.must(FAIL_RETRY, claim, { delayMs: LATER_MS }, { error: attemptError() })
      const { failures, attempts } = await straight.details(claim.jobId)
      assert.deepEqual([failures, attempts.length], [1, 1])
      await assertEvents(straight, claim.jobId, ['job:queued', 'job:started', 'job:retrying'])
    }
  },
  'gives a job back': async ({ proxied, straight }) => {
    const { claim } = await straight.running()
    return async () => {
      await proxied.must(RELEASE, claim)
      await assertEvents(straight, claim.jobId, ['job:queued', 'job:started', 'job:queued'])
    }
  },
  cancels: async ({ proxied, straight }) => {
    const id = await straight.add()
    return async () => {
      await proxied.must(CANCEL, id, { actor: 'ann', reason: 'no more' })
      await assertEvents(straight, id, ['job:queued', 'job:cancelled'])
    }
  },
  'sweeps up after a worker that has died': async ({ proxied, straight }) => {
    const { claim } = await straight.running()
    await straight.store.sessions.end(claim.holder)
    return async () => {
      await proxied.sweep()
      const { state, attempts } = await straight.details(claim.jobId)
      assert.deepEqual([state, attempts.map(({ outcome }) => outcome)], ['queued', ['lost']])
      await assertEvents(straight, claim.jobId, ['job:queued', 'job:started', 'job:queued'])
    }
  },
}

async function assertEvents(
  straight: ProxiedBench['straight'],
  id: string | undefined,
  names: readonly EventName[],
): Promise<void> {
  assert.deepEqual(await straight.eventNames(id ?? ''), names)
}

describe('where the connection breaks around a COMMIT, a store', () => {
  for (const [name, prepare] of Object.entries(acts)) {
    test(`${name} once, and says so`, async (context) => {
      const random = seededWords(seedOf(context))
      const bench = await openProxiedBench(context)
      let faults = 0
      for (let round = 0; round < ROUNDS; round += 1) {
        const act = await prepare(bench)
        let left = 1 + (random() % MOST_FAULTS)
        bench.proxy.decide((exchange) => {
          if (left === 0 || !isDecisive(exchange)) return 'pass'
          left -= 1
          faults += 1
          return FAULTS[random() % FAULTS.length] ?? 'pass'
        })
        await act()
        bench.proxy.letPass()
        await emptyQueue(bench)
      }
      assert.ok(faults >= ROUNDS, `${faults} faults in ${ROUNDS} rounds`)
      await bench.database.assertSound()
      context.diagnostic(`${faults} COMMITs cut`)
    })
  }
})

test(
  'as many COMMITs as there are connections lose their answers at once, and each learns what became of it',
  { timeout: 30_000 },
  async (context) => {
    // Of three, two are to write on.
    const { proxy, proxied, straight } = await openProxiedBench(context, { connections: 3 })
    const ids = [await straight.add(), await straight.add()]
    const holder = await proxied.session()
    let lost = 0
    proxy.decide((exchange) => {
      if (lost === 2 || !isCommit(exchange)) return 'pass'
      lost += 1
      return 'lose-answer'
    })
    const claimed = await Promise.all([proxied.claim(holder, 1), proxied.claim(holder, 1)])
    assert.equal(lost, 2)
    assert.deepEqual(
      claimed
        .flat()
        .map(({ claim }) => claim.jobId)
        .toSorted(),
      ids.toSorted(),
    )
  },
)

test(
  'where the database stays away after a COMMIT, whoever adds a job is told in time, and whoever takes it once it is known',
  { timeout: 30_000 },
  async (context) => {
    const { proxy, proxied, straight } = await openProxiedBench(context, { patienceMs: 1_000 })
    let isLost = false
    const holder = await proxied.session()
    const job = proxied.job()
    proxy.decide((exchange) => {
      if (isLost) return 'lose-request'
      if (!isCommit(exchange) || !exchange.transaction.some((sql) => sql.includes('.jobs'))) return 'pass'
      isLost = true
      return 'lose-answer'
    })
    const asked = Promise.withResolvers<readonly ClaimedJob[]>()
    const leave = proxied.store.onEnqueue(() => asked.resolve(proxied.claim(holder, 1)))
    const adding = proxied.store.jobs.enqueue([job])
    leave()
    await assert.rejects(adding, { name: 'MillraceError', code: 'store-unreachable' })
    proxy.letPass()
    assert.deepEqual(
      (await asked.promise).map(({ claim }) => claim.jobId),
      [job.id],
    )
    await assertEvents(straight, job.id, ['job:queued', 'job:started'])
  },
)

/** A COMMIT, or a statement that is committed by itself, of what is written. */
function isDecisive(exchange: Exchange): boolean {
  if (isCommit(exchange)) return true
  return (
    exchange.transaction.length === exchange.statements.length &&
    /INSERT INTO \S+\.(?:jobs|sessions) /.test(exchange.statements.join(' '))
  )
}

/** The next round begins with no job waiting. */
async function emptyQueue({ straight }: ProxiedBench): Promise<void> {
  const { jobs } = await straight.store.jobs.list({
    scope: OPERATOR,
    limit: 100,
    after: null,
    states: ['queued', 'scheduled'],
  })
  for (const { id } of jobs) await straight.act(CANCEL, id, { actor: 'test' })
}
