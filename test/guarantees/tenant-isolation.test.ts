/** What the people of a tenant see does not depend on what other tenants do. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import * as fc from 'fast-check'

import type { JobEvent, MillraceOptions } from '../../src/index.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { scaled } from '../support/scale.ts'
import { seedOf } from '../support/seed.ts'
import { Announcements } from '../support/wait-for-event.ts'
import { asSeen, otherLife, Tenant, watchedLife, work, workHandler } from './tenant-life.ts'
import type { Deed, World } from './tenant-life.ts'

const onPostgres = process.env['MILLRACE_TEST_STORE'] === 'postgres'
/** On SQLite without a thread, which takes less time to open. */
const QUICKLY: MillraceOptions = onPostgres ? {} : { thread: false }

/** What the watched tenant saw, step by step, of its own life beside that of another, which may be empty. */
async function lived(
  context: TestContext,
  watched: readonly Deed[],
  others: readonly Deed[],
): Promise<readonly string[]> {
  const runtime = virtualRuntime()
  const { mill, work: start } = await openTestMill(context, { runtime, maintenance: false, ...QUICKLY })
  const worker = await start([workHandler], { manual: true, concurrency: 1, lease: '365d' })
  const world: World = { mill, runtime, worker }
  const acme: Tenant = new Tenant(world, 'acme', () => (others.length === 0 ? null : other))
  const other: Tenant = new Tenant(world, 'other', () => acme)
  const told: JobEvent[] = []
  const announce = new Announcements()
  const ada = mill.as({ tenant: 'acme', user: 'ada', role: 'admin' })
  await ada.subscribe((event) => {
    told.push(event)
    announce.tell(event.jobId)
  })
  const seen: unknown[] = []
  for (let step = 0; step < Math.max(watched.length, others.length); step += 1) {
    const [own, theirs] = [watched[step], others[step]]
    const livesAlone = own?.do === 'work' || theirs?.do === 'work' || own?.do === 'advance'
    if (livesAlone && theirs !== undefined) await other.live(theirs)
    const [observed] = await Promise.all([
      own === undefined ? null : acme.live(own),
      livesAlone || theirs === undefined ? null : other.live(theirs),
    ])
    if (own !== undefined) seen.push([own, observed])
  }
  seen.push(await acme.look())
  const { job: last } = await ada.enqueue(work, 'the last')
  await announce.hear(last.id)
  seen.push(told)
  await worker.stop()
  await mill.close()
  return asSeen(seen, new Set([...acme.jobs, last.id, ...artifactsIn(told)]))
}

function artifactsIn(events: readonly JobEvent[]): readonly string[] {
  return events.flatMap(({ detail: { artifactId } }) => (typeof artifactId === 'string' ? [artifactId] : []))
}

test('a tenant sees the same whatever another one does beside it', async (context) => {
  const seed = seedOf(context)
  const numRuns = scaled(onPostgres ? 2 : 8)
  await fc.assert(
    fc.asyncProperty(watchedLife, otherLife, async (watched, others) => {
      const alone = await lived(context, watched, [])
      const beside = await lived(context, watched, others)
      assert.deepEqual(beside, alone)
    }),
    // Each try takes two lives: a failure is told at once, with its seed, instead of being made smaller.
    { seed, numRuns, endOnFailure: true },
  )
})
