/** Whoever has lost the claim on a job can write nothing to it, whatever it writes and however late it is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { handle } from '../../src/index.ts'
import type { Worker } from '../../src/index.ts'
import { freezeUntilLost } from '../support/freeze-process.ts'
import { eventsOf } from '../support/job-history.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import type { TestMill } from '../support/open-test-mill.ts'
import { withoutStops } from '../support/store-dump.ts'
import type { StoreDump } from '../support/store-dump.ts'
import { Announcements } from '../support/wait-for-event.ts'
import { LATE_WRITES, letter } from './programs/letter-jobs.ts'
import type { LateWrite } from './programs/letter-jobs.ts'

const LEASE_MS = 600
/** The writes that are calls; the others are how a handler ends. */
const CALLS: readonly LateWrite[] = ['progress', 'log', 'artifact', 'extend']

interface Rescue {
  readonly worker: Worker
  /** Lets the handler end that has taken the job over. */
  readonly letGo: () => void
}

/** A worker of this process takes the job over, and holds it until it is let go. */
async function takeOver({ work }: TestMill): Promise<Rescue & { readonly fence: number }> {
  const announce = new Announcements()
  const gate = Promise.withResolvers<void>()
  const hold = async ({ fence }: { readonly fence: number }): Promise<string> => {
    announce.tell('taken over', fence)
    await gate.promise
    return 'by the rescuer'
  }
  const worker = await work([handle(letter).phase('draft', hold).phase('send', hold)], { concurrency: 1 })
  const fence = await announce.hear<number>('taken over')
  return { worker, letGo: gate.resolve, fence }
}

/** The late writer opens a new session once it learns that it has lost the old one: that is no write to the job. */
async function dumpOfJobs({ dump }: TestMill): Promise<Omit<StoreDump, 'sessions'>> {
  const { sessions: _sessions, ...rest } = await dump()
  return withoutStops(rest)
}

test('a worker that was stopped past its lease and goes on has every write refused', async (context) => {
  const opened = await openTestMill(context, { maintenance: false })
  const { mill, start } = opened
  const writer = start('late-writer', { lease: LEASE_MS })
  await writer.hear('ready')
  for (const [index, write] of LATE_WRITES.entries()) {
    const nth = index + 1
    const { job } = await mill.enqueue(letter, { write })
    const { fence } = await writer.hear<{ readonly fence: number }>('holding', { nth })
    await freezeUntilLost(writer, mill)
    const rescue = await takeOver(opened)
    assert.ok(rescue.fence > fence, 'every claim has a higher fence')
    const before = await dumpOfJobs(opened)
    writer.tell('go on')
    writer.signal('SIGCONT')
    const call = CALLS.indexOf(write)
    if (call !== -1) {
      assert.equal(await writer.hear('signalled', { nth: call + 1 }), 'lease-lost', 'its signal tells why')
      assertThrown(write, await writer.hear<Thrown>('wrote', { nth: call + 1 }))
    }
    await writer.hear('idle', { nth })
    assert.deepEqual(await dumpOfJobs(opened), before, `a late ${write} changes nothing`)

    rescue.letGo()
    const completed = await mill.waitFor(job)
    await rescue.worker.stop({ timeout: '20s' })
    assert.equal(completed.state, 'completed')
    assert.equal(completed.output, 'by the rescuer')
    assert.equal(completed.failures, 0)
    assert.deepEqual(
      completed.attempts.map(({ outcome, worker }) => ({ outcome, pid: worker?.pid })),
      [
        { outcome: 'lost', pid: writer.pid },
        { outcome: 'completed', pid: process.pid },
      ],
    )
    const results = completed.phases.map(({ result }) => result)
    assert.deepEqual(results, [write === 'completion' ? 'drafted in time' : 'by the rescuer', 'by the rescuer'])
    const names = (await eventsOf(mill, job)).map(({ name }) => name)
    for (const name of ['job:log', 'job:progress', 'artifact:written', 'job:retrying']) {
      assert.ok(!names.includes(name as (typeof names)[number]), `no ${name} of the late writer`)
    }
  }
})

interface Thrown {
  /** Of the write that was made before the worker can have learned anything; null: nothing. */
  readonly first: string | null
  /** Of the same write once its signal has fired. */
  readonly second: string
}

/** Plain calls wait for nothing: the first of them may be refused without anyone to tell, but not the next. */
function assertThrown(write: LateWrite, { first, second }: Thrown): void {
  const isPlain = write === 'progress' || write === 'log'
  if (!isPlain || first !== null) assert.equal(first, 'lease-lost', `${write} throws`)
  assert.equal(second, 'lease-lost', `${write} throws once the signal has fired`)
}
