/** Jobs that are added together are taken by the bundle; but what a worker gets, and in which order, is what it would get one by one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { CANCEL, COMPLETE_ONLY_PHASE, RELEASE, RETRY } from '../../src/core/plans.ts'
import { ClaimCursors } from '../../src/postgres/claim-cursors.ts'
import type { NewJob } from '../../src/store/jobs.ts'
import { LEASE_MS } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'
import { openPlace } from './open-place.ts'
import type { Place } from './open-place.ts'

const TYPES = ['map.export']
const MANY = 40
/** More than a bundle holds. */
const VERY_MANY = 1_200

async function addMany(bench: Bench, count: number, changes: Partial<NewJob> = {}): Promise<readonly string[]> {
  const labels = {}
  const jobs = Array.from({ length: count }, () => bench.job({ labels, ...changes }))
  await bench.store.jobs.enqueue(jobs)
  return jobs.map(({ id }) => id)
}

async function claimIds(bench: Bench, holder: number, limit: number, types = TYPES): Promise<readonly string[]> {
  const claimed = await bench.claim(holder, limit, types)
  return claimed.map(({ claim }) => claim.jobId)
}

/** How many are left in each bundle. */
async function bundlesLeft({ sql }: Place): Promise<readonly number[]> {
  const rows = await sql('SELECT size - taken AS remaining FROM millrace.bundles ORDER BY lane, priority, run_at, n')
  return rows.map(({ remaining }) => Number(remaining))
}

async function bundled({ sql }: Place): Promise<number> {
  const [row] = await sql('SELECT count(*) AS jobs FROM millrace.jobs WHERE bundled')
  return Number(row?.['jobs'])
}

test('what is added together is taken in its order, whatever is asked for at a time, and leaves no bundle behind', async (context) => {
  const place = await openPlace(context)
  const { bench } = place
  const ids = await addMany(bench, VERY_MANY)
  assert.deepEqual(await bundlesLeft(place), [500, 500, 200])
  const holder = await bench.session()
  const taken: string[] = []
  for (const limit of [1, 7, 500, 3, 600]) taken.push(...(await claimIds(bench, holder, limit)))
  assert.deepEqual(taken, ids.slice(0, 1_111))
  assert.deepEqual(await bundlesLeft(place), [89])
  taken.push(...(await claimIds(bench, holder, 500)))
  assert.deepEqual(taken, ids)
  assert.deepEqual([await bundlesLeft(place), await bundled(place)], [[], 0])
})

test('only jobs that are ready, and many, and alike, are bundled', async (context) => {
  const place = await openPlace(context)
  const { bench } = place
  await addMany(bench, 15)
  await addMany(bench, MANY, { delayMs: 1_000 })
  await addMany(bench, MANY, { labels: { course: 'c1' } })
  await bench.store.jobs.enqueue(Array.from({ length: MANY }, (_, index) => bench.job({ key: `k${index}` })))
  assert.deepEqual([await bundlesLeft(place), await bundled(place)], [[], 0])
  await addMany(bench, 16)
  assert.deepEqual([await bundlesLeft(place), await bundled(place)], [[16], 16])
})

test('bundles, and jobs that stand by themselves, are taken in one order, over several types', async (context) => {
  const { bench } = await openPlace(context)
  const holder = await bench.session()
  const first = await bench.add({ type: 'a' })
  const bundle = await addMany(bench, 20, { type: 'b' })
  const between = await bench.add({ type: 'a' })
  const next = await addMany(bench, 20, { type: 'a' })
  const last = await bench.add({ type: 'b' })
  const urgent = await addMany(bench, 20, { type: 'b', priority: -1 })
  const urgentOne = await bench.add({ type: 'a', priority: -1 })
  const expected = [...urgent, urgentOne, first, ...bundle, between, ...next, last]
  const taken: string[] = []
  for (const limit of [25, 30, 40]) taken.push(...(await claimIds(bench, holder, limit, ['a', 'b'])))
  assert.deepEqual(taken, expected)
})

test('a job that was cancelled is not taken from its bundle, and taken once when it was tried again', async (context) => {
  const place = await openPlace(context)
  const { bench } = place
  const ids = await addMany(bench, MANY)
  const [again = '', never = ''] = [ids[3], ids[5]]
  for (const id of [again, never]) await bench.must(CANCEL, id, { actor: 'ann', reason: null })
  await bench.renew(RETRY, again)
  const taken = await claimIds(bench, await bench.session(), MANY)
  assert.deepEqual(taken.toSorted(), ids.filter((id) => id !== never).toSorted())
  assert.deepEqual([await bundlesLeft(place), await bundled(place)], [[], 0])
})

test('jobs of a worker that died, or that were given back, come back by themselves', async (context) => {
  const place = await openPlace(context)
  const { bench } = place
  const ids = await addMany(bench, MANY)
  const holder = await bench.session()
  const [given] = await bench.claim(holder, 1)
  assert.ok(given !== undefined)
  await bench.must(RELEASE, given.claim)
  assert.equal(await bundled(place), MANY - 1)
  assert.deepEqual(await claimIds(bench, holder, 5), ids.slice(0, 5))
  await bench.store.sessions.abandon(holder)
  bench.advance(LEASE_MS)
  assert.equal((await bench.sweep()).jobsReaped, 5)
  // They are suspects now, of which a session runs one at a time.
  const next = await bench.session()
  const taken: string[] = []
  for (let round = 0; round < 5; round += 1) {
    const claimed = await bench.claim(next, MANY)
    taken.push(...claimed.map(({ claim }) => claim.jobId))
    for (const { claim } of claimed) await bench.must(COMPLETE_ONLY_PHASE, claim, { output: '1' })
  }
  assert.deepEqual(taken.toSorted(), ids.toSorted())
  assert.deepEqual(await claimIds(bench, next, MANY), [])
  assert.equal(await bundled(place), 0)
})

test('claims of the same moment take different jobs of one bundle, and all of them', async (context) => {
  const place = await openPlace(context)
  const { bench } = place
  const ids = await addMany(bench, MANY)
  const holders = await Promise.all(Array.from({ length: 4 }, () => bench.session()))
  const taken = await Promise.all(holders.map((holder) => claimIds(bench, holder, 10)))
  assert.deepEqual(
    taken.map(({ length }) => length),
    [10, 10, 10, 10],
  )
  assert.deepEqual(taken.flat().toSorted(), ids.toSorted())
  assert.deepEqual(await claimIds(bench, await bench.session(), MANY), [])
  assert.deepEqual([await bundlesLeft(place), await bundled(place)], [[], 0])
})

test(
  'a job that somebody has locked holds up no claim, and is taken once it is free',
  { timeout: 10_000 },
  async (context) => {
    const { bench, sql } = await openPlace(context)
    const ids = await addMany(bench, MANY)
    const locked = ids[7] ?? ''
    await sql('BEGIN')
    await sql('SELECT 1 FROM millrace.jobs WHERE id = $1 FOR UPDATE', locked)
    const holder = await bench.session()
    const taken = await claimIds(bench, holder, MANY)
    assert.deepEqual(
      taken,
      ids.filter((id) => id !== locked),
    )
    await sql('COMMIT')
    assert.deepEqual(await claimIds(bench, holder, MANY), [locked])
  },
)

test('a bundle that somebody has locked holds up no claim: its jobs are taken one by one', async (context) => {
  const place = await openPlace(context)
  const { bench, sql } = place
  const ids = await addMany(bench, MANY)
  await sql('BEGIN')
  await sql('SELECT 1 FROM millrace.bundles FOR UPDATE')
  const holder = await bench.session()
  assert.deepEqual(await claimIds(bench, holder, 10), ids.slice(0, 10))
  await sql('COMMIT')
  assert.deepEqual(await claimIds(bench, holder, MANY), ids.slice(10))
  assert.deepEqual([await bundlesLeft(place), await bundled(place)], [[], 0])
})

test('jobs whose bundle is gone, whatever became of it, are found all the same', async (context) => {
  const place = await openPlace(context)
  const { bench, sql } = place
  const ids = await addMany(bench, MANY)
  await sql('DELETE FROM millrace.bundles')
  assert.deepEqual(await claimIds(bench, await bench.session(), MANY), ids)
  assert.equal(await bundled(place), 0)
})

test('such jobs are looked for once a minute', () => {
  let now = 5_000
  const cursors = new ClaimCursors({ monotonic: () => now })
  const looks = [0, 1, 59_998, 1, 30_000, 30_000].map((ms) => {
    now += ms
    return cursors.beginStrayLook(['a', 'b'])
  })
  assert.deepEqual(looks, [true, false, false, true, false, true])
  assert.equal(cursors.beginStrayLook(['c']), true)
})

test('where jobs have been taken from bundles, for the first time after five seconds, however many there are', () => {
  let now = 5_000
  const cursors = new ClaimCursors({ monotonic: () => now })
  const looks = [0, 3_000, 1_999, 1, 1, 59_998, 1].map((ms) => {
    now += ms
    cursors.noteOpened(['a', 'b'])
    return cursors.beginStrayLook(['a', 'b'])
  })
  assert.deepEqual(looks, [false, false, false, true, false, false, true])
  assert.equal(cursors.beginStrayLook(['c']), true)
})

test('what stands alone is taken although others have the bundle before it in hand, by whoever adds it too', async (context) => {
  const { bench, sql } = await openPlace(context)
  const ids = await addMany(bench, MANY)
  await sql('BEGIN')
  await sql('SELECT 1 FROM millrace.bundles FOR UPDATE')
  await sql('SELECT 1 FROM millrace.jobs FOR UPDATE')
  const holder = await bench.session()
  const alone = await bench.add()
  assert.deepEqual(await claimIds(bench, holder, MANY), [alone])
  const asked: Promise<readonly string[]>[] = []
  const leave = bench.store.onEnqueue(() => asked.push(claimIds(bench, holder, 1)))
  const another = await bench.add()
  leave()
  assert.deepEqual((await Promise.all(asked)).flat(), [another])
  await sql('COMMIT')
  assert.deepEqual(await claimIds(bench, holder, MANY), ids)
})

test('a job of a bundle that is changed while it is being taken is not taken, whatever else the worker has types for', async (context) => {
  const { bench, sql } = await openPlace(context)
  await bench.add({ type: 'a', delayMs: 1_000 })
  const ids = await addMany(bench, MANY, { type: 'b' })
  const changed = ids[9] ?? ''
  const holder = await bench.session()
  await sql('BEGIN')
  await sql('UPDATE millrace.jobs SET bundled = false, priority = 1 WHERE id = $1', changed)
  const claiming = claimIds(bench, holder, MANY - 1, ['a', 'b'])
  const waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
  // Until it waits for that job, or has passed over it.
  const progress = { isOver: false }
  const over = claiming.then(() => (progress.isOver = true))
  while (!progress.isOver) if ((await sql(waits)).length > 0) break
  await sql('COMMIT')
  await over
  assert.deepEqual(
    await claiming,
    ids.filter((id) => id !== changed),
  )
  assert.deepEqual(await claimIds(bench, holder, MANY, ['a', 'b']), [changed])
})

test('bundles of which every job was cancelled are cleared away by whoever comes to them', async (context) => {
  const place = await openPlace(context)
  const { bench, sql } = place
  for (let round = 0; round < 5; round += 1) await addMany(bench, MANY)
  await sql(
    "UPDATE millrace.jobs SET bundled = false, state = 7, finished_at = 1, cancel_requested_at = 1, cancelled_by = 'ann'",
  )
  const [next] = await addMany(bench, MANY)
  assert.deepEqual(await claimIds(bench, await bench.session(), 1), [next])
  assert.deepEqual(await bundlesLeft(place), [MANY - 1])
})

test('two bundles of the same place in the order are both worked off', async (context) => {
  const place = await openPlace(context)
  const { bench, sql } = place
  const ids = [...(await addMany(bench, MANY)), ...(await addMany(bench, MANY))]
  await sql('UPDATE millrace.bundles SET n = 1')
  const holder = await bench.session()
  const taken: string[] = []
  for (const limit of [1, 3, 40, 60]) taken.push(...(await claimIds(bench, holder, limit)))
  assert.deepEqual(taken.toSorted(), ids.toSorted())
  assert.deepEqual([await bundlesLeft(place), await bundled(place)], [[], 0])
})

test('all jobs are found although their rows have been moved, as a restored backup or VACUUM FULL does', async (context) => {
  const place = await openPlace(context)
  const { bench, sql } = place
  const gone = await addMany(bench, 7, { type: 'gone' })
  const ids = await addMany(bench, VERY_MANY)
  const holder = await bench.session()
  assert.deepEqual(await claimIds(bench, holder, 20), ids.slice(0, 20))
  await sql('DELETE FROM millrace.jobs WHERE id = ANY($1::uuid[])', gone)
  await sql('VACUUM FULL millrace.jobs')
  const taken: string[] = []
  for (const limit of [10, 500, 800]) taken.push(...(await claimIds(bench, holder, limit)))
  assert.deepEqual(taken, ids.slice(20))
  assert.deepEqual([await bundlesLeft(place), await bundled(place)], [[], 0])
})
