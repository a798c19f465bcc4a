/**
 * Applications add jobs in transactions of their own, some of which are committed long after they have taken their numbers, some never.
 * Whoever follows the log meanwhile, in whatever process, passes over none.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Millrace } from '../../src/index.ts'
import { seededWords } from '../../src/runtime/seeded-random.ts'
import { sack } from '../guarantees/programs/mill-jobs.ts'
import { followLog } from '../support/log-follower.ts'
import { startMillRun } from '../support/mill-run.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { postgresDatabase } from '../support/postgres-database.ts'
import type { OwnConnection } from '../support/test-database.ts'
import { scaled } from '../support/scale.ts'
import { seedOf } from '../support/seed.ts'
import { take } from '../support/wait-for-event.ts'

const APPLICATIONS = 6
const TRANSACTIONS = scaled(8)
const LONGEST_MS = 250

interface Application {
  readonly mill: Millrace
  readonly own: OwnConnection
  readonly random: () => number
}

/** One transaction after another. Answers the jobs of those that were committed, and of those that were not. */
async function transact({
  mill,
  own: { connection, run },
  random,
}: Application): Promise<readonly (readonly [string, boolean])[]> {
  const added: [string, boolean][] = []
  for (let transactions = 0; transactions < TRANSACTIONS; transactions += 1) {
    await run('BEGIN')
    const { job } = await mill.enqueueIn(connection, sack, { flaky: false, slow: false })
    await take(random() % LONGEST_MS)
    const isKept = random() % 4 > 0
    await run(isKept ? 'COMMIT' : 'ROLLBACK')
    added.push([job.id, isKept])
  }
  return added
}

test('whoever follows the log is told of every commit, however late it comes', async (context) => {
  const random = seededWords(seedOf(context))
  const opened = await openTestMill(context, { maintenance: false }, () => postgresDatabase())
  const run = await startMillRun({ opened, random, context })
  await run.startWorker()
  await run.startWorker()
  run.produce(opened.mill)
  const other = await opened.open()
  const elsewhere = await followLog(other)
  const applications: Application[] = []
  for (const mill of [opened.mill, other]) {
    for (let opens = 0; opens < APPLICATIONS / 2; opens += 1) {
      applications.push({ mill, own: await opened.connect(), random })
    }
  }
  const added = await Promise.all(applications.map(transact))
  await run.settle()
  await elsewhere.assertHeardAll(other)
  const told = new Set(elsewhere.events.map(({ jobId }) => jobId))
  for (const [id, isKept] of added.flat()) assert.equal(told.has(id), isKept, `job ${id}`)
})
