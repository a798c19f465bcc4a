import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineJob } from '../../src/client/define-job.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { ClaimedJob } from '../../src/store/claims.ts'
import { ClaimAhead } from '../../src/worker/claim-ahead.ts'
import { handle } from '../../src/worker/handler.ts'
import { openWorkplace } from './open-workplace.ts'
import { enqueueInputs, enqueueTogether, quick, runningInStore, startKnown, startQuick } from './quick-worker.ts'

function jobOf(type: string, timeoutMs: number | null = null): Pick<ClaimedJob, 'type' | 'policy'> {
  return { type, policy: { ...quick.policy, timeoutMs } }
}

/** Claims of so many jobs with inputs of so many characters each. */
function taken(ahead: ClaimAhead, count: number, characters: number, results: readonly string[] = []): void {
  ahead.took(Array.from({ length: count }, () => ({ input: 'x'.repeat(characters), results })))
}

/** Runs of one type, each so many milliseconds long. */
function times(count: number, ms: number): readonly number[] {
  return Array.from({ length: count }, () => ms)
}

describe('how many jobs may be taken ahead', () => {
  for (const [what, runs, concurrency, most] of [
    ['nothing is known', {}, 10, 0],
    ['the type has been seen 9 times', { a: times(9, 1) }, 10, 0],
    ['the type has been seen 10 times', { a: times(10, 1) }, 10, 200],
    ['one of two types has been seen 9 times', { a: times(50, 0), b: times(9, 0) }, 10, 0],
    ['runs take no time that a clock can tell', { a: times(10, 0) }, 1, 999],
    ['runs of all types are very short', { a: times(10, 0.001), b: times(10, 0) }, 100, 900],
    ['there are as many slots as may be in hand', { a: times(10, 0.001) }, 1_000, 0],
    ['runs take as long as a job should wait at most', { a: times(10, 20) }, 10, 10],
    ['runs take longer than a job should wait', { a: times(10, 20.1) }, 10, 0],
    ['one of two types is slow', { a: times(50, 0), b: times(10, 21) }, 10, 0],
    ['the slower of two types decides', { a: times(10, 1), b: times(10, 4) }, 10, 50],
    ['it is no whole number of jobs', { a: times(10, 3) }, 1, 6],
    ['the last run was slow', { a: [...times(1_000, 1), 21] }, 10, 0],
    ['the first run was slow', { a: [40, ...times(9, 0)] }, 10, 0],
    ['a slow run was followed by a few fast ones', { a: [40, ...times(10, 0)] }, 10, 0],
    ['a slow run was followed by more fast ones', { a: [40, ...times(11, 0)] }, 10, 10],
    ['a slow run was followed by many fast ones', { a: [40, ...times(200, 0)] }, 10, 990],
    ['only types of others were seen', { other: times(10, 0) }, 10, 0],
  ] as readonly (readonly [string, Readonly<Record<string, readonly number[]>>, number, number])[]) {
    test(`is ${most} with ${concurrency} slots when ${what}`, () => {
      const ahead = new ClaimAhead(Object.keys(runs).includes('b') ? ['a', 'b'] : ['a'])
      for (const [type, each] of Object.entries(runs)) for (const ms of each) ahead.note(jobOf(type), ms)
      assert.equal(ahead.most(concurrency), most)
    })
  }
})

describe('how many jobs may be taken ahead, by the size of those taken last,', () => {
  for (const [what, claims, most] of [
    ['is as many as ever where they are small', [[500, 4_000]], 990],
    ['is what has four million characters in all', [[500, 40_000]], 104],
    ['is 16 where all are as large as they may be', [[500, 256 * 1024]], 16],
    [
      'falls as soon as large ones come',
      [
        [500, 10],
        [500, 256 * 1024],
      ],
      16,
    ],
    [
      'falls a little way for one large one that comes after many small ones',
      [
        [499, 10],
        [1, 256 * 1024],
      ],
      271,
    ],
    [
      'rises as soon as small ones come',
      [
        [500, 256 * 1024],
        [500, 10],
      ],
      515,
    ],
    [
      'is no other after a claim that brought nothing',
      [
        [500, 40_000],
        [0, 0],
      ],
      104,
    ],
  ] as readonly (readonly [string, readonly (readonly [number, number])[], number])[]) {
    test(what, () => {
      const ahead = new ClaimAhead(['a'])
      for (const ms of times(10, 0.001)) ahead.note(jobOf('a'), ms)
      for (const [count, characters] of claims) taken(ahead, count, characters)
      assert.equal(ahead.most(10), most)
    })
  }

  test('counts the results of earlier phases too', () => {
    const ahead = new ClaimAhead(['a'])
    for (const ms of times(10, 0.001)) ahead.note(jobOf('a'), ms)
    taken(ahead, 500, 20_000, ['x'.repeat(15_000), 'x'.repeat(5_000)])
    assert.equal(ahead.most(10), 104)
  })
})

describe('jobs of a type with a time-out', () => {
  for (const [timeoutMs, most] of [
    [200, 0],
    [9_999, 0],
    [10_000, 990],
    [1_800_000, 990],
    [null, 990],
  ] as const) {
    test(`of ${timeoutMs} ms are ${most === 0 ? 'never ' : ''}taken ahead`, () => {
      const ahead = new ClaimAhead(['a', 'b'])
      for (const ms of times(10, 0.001)) ahead.note(jobOf('a'), ms)
      for (const ms of times(10, 0.001)) ahead.note(jobOf('b', timeoutMs), ms)
      assert.equal(ahead.most(10), most)
    })
  }

  test('are taken ahead once its newest definition allows them more time', () => {
    const ahead = new ClaimAhead(['a'])
    for (const ms of times(10, 0.001)) ahead.note(jobOf('a', 200), ms)
    ahead.note(jobOf('a', 60_000), 0.001)
    assert.equal(ahead.most(10), 990)
  })
})

test('after some were given back no more may be taken ahead than are left, and one more for every ten that run', () => {
  const ahead = new ClaimAhead(['a'])
  const run = (count: number): void => times(count, 0.001).forEach((ms) => ahead.note(jobOf('a'), ms))
  run(10)
  assert.equal(ahead.most(10), 990)
  ahead.gaveBack(5)
  assert.equal(ahead.most(10), 5)
  run(9)
  assert.equal(ahead.most(10), 5)
  run(1)
  assert.equal(ahead.most(10), 6)
  ahead.gaveBack(40)
  assert.equal(ahead.most(10), 6, 'more than may be taken are left of those that were under way')
  run(100_000)
  assert.equal(ahead.most(10), 990)
  ahead.gaveBack(0)
  assert.equal(ahead.most(10), 0)
})

describe('a worker of jobs that are known to be fast', () => {
  test('takes more of them than it has slots, and runs as many at a time as it has, by their priority', async (context) => {
    const place = await openWorkplace(context)
    const { worker, began, open, most } = await startQuick(place, 3)
    await enqueueTogether(place, [2, 0, 1, 2, 1, 0, 2, 0, 1, 0, 2, 1])
    assert.equal(await runningInStore(place), 12)
    assert.equal(worker.running, 3)
    for (let ended = 0; ended < 12; ended += 1) {
      open()
      await place.runtime.advance(0)
    }
    await worker.idle()
    assert.equal(most(), 3)
    assert.deepEqual(
      began,
      ['0.1', '0.5', '0.7', '0.9', '1.2', '1.4', '1.8', '1.11', '2.0', '2.3', '2.6', '2.10'],
      'first by priority, then by their time',
    )
    assert.equal((await place.store.jobs.counts({ scope: OPERATOR })).completed, 22)
  })

  test('gives back those that wait for a slot when it stops while its handlers hang', async (context) => {
    const place = await openWorkplace(context)
    const { worker, began } = await startQuick(place, 2)
    const ids = await enqueueTogether(place, [0, 0, 0, 0, 0, 0])
    assert.equal(await runningInStore(place), 6)
    const stopping = assert.rejects(worker.stop(), { code: 'drain-timeout', message: /^.*10000 ms: 2 of its/ })
    await place.runtime.advance(10_000)
    await stopping
    assert.deepEqual(began, ['0.0', '0.1'])
    for (const id of ids) {
      const { state, failures, attempts } = await place.job(id)
      assert.deepEqual([state, failures, attempts.map(({ outcome }) => outcome)], ['queued', 0, ['released']])
    }
  })

  test('runs those that wait for a slot when it stops and its handlers end', async (context) => {
    const place = await openWorkplace(context)
    const { worker, began, open, most } = await startQuick(place, 2)
    await enqueueTogether(place, [0, 0, 0, 0])
    const stopping = worker.stop()
    for (let ended = 0; ended < 4; ended += 1) {
      open()
      await place.runtime.advance(0)
    }
    await stopping
    assert.deepEqual([began.length, most()], [4, 2])
    assert.equal((await place.store.jobs.counts({ scope: OPERATOR })).completed, 14)
  })

  test('drops those that wait for a slot when its session is lost: they run once, under a new claim', async (context) => {
    const place = await openWorkplace(context)
    const { worker, began, open } = await startQuick(place, 2)
    const ids = await enqueueTogether(place, [0, 0, 0, 0, 0])
    place.sessionLost()
    await place.runtime.advance(0)
    open()
    open()
    await place.runtime.advance(0)
    assert.deepEqual(began, ['0.0', '0.1'])
    assert.equal((await place.store.claims.sweep({ graceMs: 0, random: 0 })).jobsReaped, 5)
    for (let ended = 0; ended < 5; ended += 1) {
      await place.runtime.advance(1_000)
      open()
    }
    await worker.idle()
    assert.deepEqual(began.slice(2).toSorted(), ['0.0', '0.1', '0.2', '0.3', '0.4'])
    for (const id of ids) assert.equal((await place.job(id)).state, 'completed')
  })

  test('takes none ahead any more once a run was slow', async (context) => {
    const place = await openWorkplace(context)
    const { worker, open } = await startQuick(place, 2)
    await place.enqueue(quick, 'slow')
    await place.runtime.advance(21)
    open()
    await worker.idle()
    await enqueueTogether(place, [0, 0, 0, 0, 0, 0])
    assert.equal(await runningInStore(place), 2)
  })

  test('takes fewer of them ahead when their inputs are large', async (context) => {
    const place = await openWorkplace(context)
    const large = 'x'.repeat(250_000)
    await startKnown(place, () => new Promise(() => {}), { concurrency: 2, fastInput: large })
    await enqueueInputs(
      place,
      times(40, 0).map(() => large),
    )
    assert.equal(await runningInStore(place), 2 + 16)
  })

  test('takes none ahead that must end within ten seconds', async (context) => {
    const place = await openWorkplace(context)
    const brief = defineJob('brief', { service: 'tests', timeout: '9s' })
    await startKnown(place, () => new Promise(() => {}), { concurrency: 2, definition: brief })
    await enqueueInputs(place, times(40, 0), brief)
    assert.equal(await runningInStore(place), 2)
  })

  test('takes none ahead when it is driven by hand', async (context) => {
    const place = await openWorkplace(context)
    const worker = await place.start([handle(quick, () => null)], { concurrency: 2, manual: true })
    for (let runs = 0; runs < 24; runs += 1) await place.enqueue(quick, runs)
    for (let turns = 0; turns < 12; turns += 1) assert.equal((await worker.runOnce()).claimed, 2)
    assert.equal((await worker.runOnce()).claimed, 0)
  })
})

describe('jobs that were taken ahead of a slot that does not become free', () => {
  test('are given back soon, for workers that have room, and no more are taken ahead', async (context) => {
    const place = await openWorkplace(context)
    const { worker, began } = await startQuick(place, 2)
    const ids = await enqueueTogether(place, [0, 0, 0, 0, 0, 0])
    await place.runtime.advance(1_000)
    assert.deepEqual([worker.running, await runningInStore(place)], [2, 2])
    assert.deepEqual(began, ['0.0', '0.1'])
    for (const id of ids.slice(2)) {
      const { state, failures, attempts } = await place.job(id)
      assert.deepEqual([state, failures, attempts.map(({ outcome }) => outcome)], ['queued', 0, ['released']])
    }
  })

  test('are not timed out by the store before they have run', async (context) => {
    const place = await openWorkplace(context)
    const brief = defineJob('brief', { service: 'tests', timeout: '1s', cancelGrace: '5s', retry: { maxAttempts: 1 } })
    const ran: unknown[] = []
    const worker = await place.start(
      [
        handle(brief, ({ input }) => {
          if (input === 'fast') return null
          ran.push(input)
          return input === 'hang' ? new Promise<null>(() => {}) : null
        }),
      ],
      { concurrency: 1, maxAbandonedSlots: 10 },
    )
    for (let runs = 0; runs < 10; runs += 1) await place.enqueue(brief, 'fast')
    await worker.idle()
    await place.enqueue(brief, 'hang')
    await place.enqueue(brief, 'hang')
    const id = await place.enqueue(brief, 'last')
    await place.runtime.advance(8_500)
    const { jobsTimedOut } = await place.store.claims.sweep({ graceMs: 2_000, random: 0 })
    await place.runtime.advance(60_000)
    const { state, failures } = await place.job(id)
    assert.deepEqual({ jobsTimedOut, state, failures }, { jobsTimedOut: 0, state: 'completed', failures: 0 })
  })
})
