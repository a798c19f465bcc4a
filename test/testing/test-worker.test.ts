import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { handle, LeaseLostError } from 'millrace'
import { openTestMill } from 'millrace/testing'
import type { TestMill, TestWorker } from 'millrace/testing'
import { bakeBread, bakeBreadInto, sendMail } from './bakery-jobs.ts'

interface Bakery {
  readonly kit: TestMill
  readonly ran: string[]
  readonly first: TestWorker
  readonly second: TestWorker
  readonly jobId: string
}

async function openBakery(): Promise<Bakery & AsyncDisposable> {
  const kit = await openTestMill()
  const ran: string[] = []
  const handlers = [bakeBreadInto(ran)]
  const [first, second] = [await kit.worker(handlers), await kit.worker(handlers)]
  const { job } = await kit.mill.enqueue(bakeBread, { loaves: 2 })
  return { kit, ran, first, second, jobId: job.id, [Symbol.asyncDispose]: () => kit.close() }
}

describe('a worker that is told what to do', () => {
  test('holds a job after its claim, before its handler begins', async () => {
    await using bakery = await openBakery()
    const { kit, ran, first, jobId } = bakery
    assert.equal(first.inHand, null)
    const taken = await first.claimOnce()
    assert.deepEqual(taken, { id: jobId, type: 'bread.bake', attempt: 1, generation: 1, fence: 1, nextPhase: 'mix' })
    assert.deepEqual(first.inHand, taken)
    assert.equal((await kit.mill.get(jobId)).state, 'running')
    await kit.clock.advance('1m')
    assert.deepEqual(ran, [])
  })

  test('runs phase by phase, each result committed before it is held', async () => {
    await using bakery = await openBakery()
    const { kit, ran, first, jobId } = bakery
    assert.deepEqual(await first.runPhase('mix'), { dough: 1_000 })
    const { phases, state } = await kit.mill.get(jobId)
    assert.deepEqual([state, phases[0]?.result, phases[1]?.state], ['running', { dough: 1_000 }, 'running'])
    await kit.clock.advance('1m')
    assert.deepEqual(ran, ['mix'])
    assert.equal(first.inHand?.nextPhase, 'bake')
    assert.deepEqual(await first.runPhase('wrap'), { baked: 2 })
    assert.deepEqual([ran, first.inHand], [['mix', 'bake', 'wrap'], null])
    assert.equal((await kit.mill.get(jobId)).state, 'completed')
  })

  test('goes on from wherever it is held', async () => {
    await using bakery = await openBakery()
    await bakery.first.claimOnce()
    await bakery.first.runPhase('bake')
    assert.deepEqual(bakery.ran, ['mix', 'bake'])
    assert.equal((await bakery.first.runOnce()).completed, 1)
  })

  test('takes one job at a time, and none where there is none', async () => {
    await using bakery = await openBakery()
    await bakery.kit.mill.enqueue(bakeBread, { loaves: 3 })
    assert.equal((await bakery.first.runOnce()).claimed, 1)
    assert.equal((await bakery.first.runOnce()).claimed, 1)
    assert.equal((await bakery.first.runOnce()).claimed, 0)
    assert.equal(await bakery.first.claimOnce(), null)
  })

  test('that crashes leaves its job to the next after its lease, with the phases that are done', async () => {
    await using bakery = await openBakery()
    const { kit, ran, first, second, jobId } = bakery
    await first.crashAfterPhase('bake')
    await kit.clock.advance('29s')
    await kit.mill.maintenance.runOnce()
    assert.equal(await second.claimOnce(), null)
    await kit.clock.advance('2s')
    assert.equal((await kit.mill.maintenance.runOnce()).jobsReaped, 1)
    assert.deepEqual(await second.claimOnce(), {
      id: jobId,
      type: 'bread.bake',
      attempt: 2,
      generation: 1,
      fence: 3,
      nextPhase: 'wrap',
    })
    assert.equal((await second.runOnce()).completed, 1)
    assert.deepEqual(ran, ['mix', 'bake', 'wrap'])
  })

  test('that lives keeps its job, however far the clock is moved', async () => {
    await using bakery = await openBakery()
    const { kit, first, second } = bakery
    await first.runPhase('mix')
    await kit.clock.advance('5m')
    assert.equal((await kit.mill.maintenance.runOnce()).jobsReaped, 0)
    assert.equal(await second.claimOnce(), null)
    assert.equal((await first.runOnce()).completed, 1)
  })

  test('that crashes in the middle of a phase writes nothing more, and its handler gets no answer', async () => {
    await using kit = await openTestMill()
    const begun = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    let answered = false
    const handler = handle(sendMail, async ({ artifact, signal, log, progress }) => {
      begun.resolve()
      await goOn.promise
      log.info('still here')
      progress(99)
      await artifact.write('late.txt', 'late').finally(() => (answered = true))
      return signal.aborted
    })
    const worker = await kit.worker([handler])
    const { job } = await kit.mill.enqueue(sendMail, { to: 'ann' })
    const running = worker.runOnce()
    await begun.promise
    const { eventSeq } = await kit.mill.get(job)
    await worker.crash()
    await assert.rejects(running, { code: 'ERR_ASSERTION', message: /it crashed meanwhile/ })
    goOn.resolve()
    await kit.clock.advance('1h')
    assert.equal(answered, false)
    const { state, progress, eventSeq: latest } = await kit.mill.get(job)
    assert.deepEqual([state, progress, latest], ['running', 0, eventSeq])
    await assert.rejects(worker.runOnce(), { code: 'ERR_ASSERTION', message: /it has crashed/ })
  })

  test('that loses its lease has everything refused that it still writes', async () => {
    await using kit = await openTestMill()
    const begun = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    const refused = Promise.withResolvers<unknown>()
    const late = handle(sendMail, async ({ artifact }) => {
      begun.resolve()
      await goOn.promise
      await artifact.write('late.txt', 'late').then(() => refused.resolve('kept'), refused.resolve)
      return 'late'
    })
    const [first, second] = [await kit.worker([late]), await kit.worker([handle(sendMail, () => 'in time')])]
    const { job } = await kit.mill.enqueue(sendMail, { to: 'ann' })
    const running = first.runOnce()
    await begun.promise

    await first.loseLease()
    assert.equal((await second.runOnce()).completed, 1)
    goOn.resolve()

    assert.deepEqual([(await running).lost, (await running).completed], [1, 0])
    assert.ok((await refused.promise) instanceof LeaseLostError)
    const { output, attempts } = await kit.mill.get(job)
    assert.deepEqual([output, attempts.map(({ outcome }) => outcome)], ['in time', ['lost', 'completed']])
    assert.deepEqual(await kit.mill.artifacts(job), [])
  })

  test('that lost its lease between two phases loses the job, and then takes the next', async () => {
    await using bakery = await openBakery()
    const { kit, first, second, jobId } = bakery
    await first.runPhase('mix')
    await first.loseLease()
    assert.equal((await second.claimOnce())?.nextPhase, 'bake')
    assert.equal((await first.runOnce()).lost, 1)
    await second.runOnce()
    assert.equal((await kit.mill.get(jobId)).state, 'completed')
    const { job } = await kit.mill.enqueue(bakeBread, { loaves: 9 })
    assert.equal((await first.claimOnce())?.id, job.id)
  })

  test('that lost its job while it was held hears of that when it is told to go on', async () => {
    await using bakery = await openBakery()
    const { kit, first, second } = bakery
    await first.runPhase('mix')
    await first.loseLease()
    await second.runOnce()
    await kit.clock.advance('1m')
    assert.notEqual(first.inHand, null)
    assert.equal((await first.runOnce()).lost, 1)
    assert.equal(first.inHand, null)
  })

  test('hears of a cancel while it is held', async () => {
    await using bakery = await openBakery()
    const { kit, first, jobId } = bakery
    await first.runPhase('mix')
    await kit.mill.cancel(jobId, { actor: 'ann' })
    assert.equal((await first.runOnce()).cancelled, 1)
    const { state, cancelledBy, phases } = await kit.mill.get(jobId)
    assert.deepEqual([state, cancelledBy, phases[0]?.state], ['cancelled', 'ann', 'done'])
  })

  test('is closed with its mill, whatever it has in hand', async () => {
    await using bakery = await openBakery()
    await bakery.first.runPhase('mix')
    await bakery.kit.mill.enqueue(bakeBread, { loaves: 1 })
    await bakery.second.claimOnce()
  })
})

describe('a worker that can not do what it is told', () => {
  test('says that there is no job, and what there is', async () => {
    await using kit = await openTestMill()
    const worker = await kit.worker([bakeBreadInto([])])
    await kit.mill.enqueue(sendMail, { to: 'ann' })
    await assert.rejects(worker.runPhase('mix'), {
      code: 'ERR_ASSERTION',
      message:
        'runPhase: the worker of "bakery" can\'t go on: there is no job that it could take; ' +
        'jobs: queued 1, scheduled 0, retrying 0, running 0.',
    })
  })

  test('says which phases are to come', async () => {
    await using bakery = await openBakery()
    await bakery.first.runPhase('mix')
    await assert.rejects(bakery.first.runPhase('mix'), {
      message: /^runPhase: .*"mix" is none of the phases of job .* that are to come: bake, wrap\.$/,
    })
    await assert.rejects(bakery.first.claimOnce(), { message: /^claimOnce: .* it has job .* in hand\.$/ })
  })

  test('says that its job was taken from it', async () => {
    await using bakery = await openBakery()
    await bakery.first.runPhase('mix')
    await bakery.first.loseLease()
    await assert.rejects(bakery.first.runPhase('bake'), {
      message: /^The phase "bake" of job .* the job is queued\.\nIts error: .*died or lost its lease/,
    })
  })

  test('says what a phase failed with', async () => {
    await using kit = await openTestMill()
    const worker = await kit.worker([handle(sendMail, () => Promise.reject(new Error('no stamps')))])
    const { job } = await kit.mill.enqueue(sendMail, { to: 'ann' })
    await assert.rejects(worker.runPhase('run'), {
      code: 'ERR_ASSERTION',
      message: `The phase "run" of job ${job.id} (mail.send) did not come to its good end; the job is retrying.\nIts error: Error: no stamps`,
    })
  })
})
