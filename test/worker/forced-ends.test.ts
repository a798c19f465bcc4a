/** However many handlers are ended by force, nothing of them is left: no thread, no process, no open file, no memory. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import { JOBS } from '../guarantees/programs/smithy-handlers.ts'
import { childrenOf, endOf, openSmithy } from '../guarantees/smithy.ts'
import type { Smithy } from '../guarantees/smithy.ts'
import { scaled } from '../support/scale.ts'

const SLOTS = 4
/** One in so many runs in a process. */
const PROCESS_EVERY = 20
/** One in so many computes without a pause; the others wait for what never comes. */
const SPINS_EVERY = 7
const MEGABYTE = 1024 * 1024

interface Held {
  readonly threads: number
  readonly files: number
  readonly processes: number
}

function held(): Held {
  const count = (what: string): number => readdirSync(`/proc/self/${what}`).length
  return { threads: count('task'), files: count('fd'), processes: childrenOf(process.pid).length }
}

/** Bytes of the process that are in use: without what V8 keeps for later, which grows as it likes. */
function inUse(): number {
  collectGarbage()
  const { rss, heapTotal, heapUsed } = process.memoryUsage()
  return rss - heapTotal + heapUsed
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc()')
}

/** So many jobs, of which as many run at a time as there are slots; each is cancelled and ended by force. */
async function endByForce(smithy: Smithy, rounds: number): Promise<void> {
  let left = rounds
  const one = async (): Promise<void> => {
    for (; left > 0; left -= 1) {
      const kind = left % PROCESS_EVERY === 0 ? 'process' : 'thread'
      const begun = await smithy.begin(kind, left % SPINS_EVERY === 0 ? 'spin' : 'ignore')
      await smithy.mill.cancel(begun.id)
      const { state } = await smithy.mill.waitFor(begun.id)
      assert.equal(state, 'cancelled')
    }
  }
  await Promise.all(Array.from({ length: SLOTS }, one))
}

test(
  'after many forced ends threads, processes, files and memory are back where they were',
  { skip: process.platform === 'linux' ? false : 'looks into /proc' },
  async (context) => {
    const smithy = await openSmithy(context, { concurrency: SLOTS })
    await endByForce(smithy, SLOTS * 2)
    await smithy.worker.idle()
    const before = { ...held(), bytes: inUse() }
    await endByForce(smithy, scaled(50))
    await smithy.worker.idle()
    const after = { ...held(), bytes: inUse() }
    context.diagnostic(JSON.stringify({ before, after }))
    // What is left are those that wait for the next job, of one kind or the other.
    assert.ok(after.processes <= SLOTS)
    assert.ok(after.threads <= before.threads + SLOTS, 'no thread is left')
    assert.ok(after.files <= before.files + SLOTS * FILES_EACH, 'no file is left open')
    assert.ok(after.bytes < before.bytes + 60 * MEGABYTE, 'no memory is left')
    const { job } = await smithy.mill.enqueue(JOBS.thread, 'where')
    const { attempt } = await endOf(smithy, job)
    assert.equal(attempt.outcome, 'completed')
    await smithy.worker.stop({ timeout: '20s' })
    assert.equal(held().processes, 0)
  },
)

/** Of a thread that waits. */
const FILES_EACH = 5
