/**
 * The server ends connections of the store, whatever is under way on them: statements, listening, beats. The moments and the victims come from
 * a seed, which is printed; MILLRACE_SEED=<seed> chooses them again.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'

import { seededWords } from '../../src/runtime/seeded-random.ts'
import { startMillRun } from '../support/mill-run.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { postgresDatabase } from '../support/postgres-database.ts'
import { scaled } from '../support/scale.ts'
import { seedOf } from '../support/seed.ts'
import { take } from '../support/wait-for-event.ts'

const STRIKES = scaled(40)
/** At a time, each by its own clock. */
const STRIKERS = 2
const LEAST_GAP_MS = 200
const MOST_GAP_MS = 1_000

test('workers, producers and subscribers live through connections that the server ends again and again', async (context) => {
  const random = seededWords(seedOf(context))
  // By this name the server tells the connections of this test from all others.
  const name = `millrace_${randomUUID()}`
  const route = (server: string): string => `${server}?application_name=${name}`
  const opened = await openTestMill(context, { maintenance: false }, () => postgresDatabase({ route }))
  const run = await startMillRun({ opened, random, context })
  await run.startWorker()
  await run.startWorker()
  run.produce(opened.mill)
  run.produce(await opened.open())

  const { rows } = await opened.connect()
  const struck = new Map<string, number>()
  const strike = async (): Promise<void> => {
    const backends = await rows(
      `SELECT pid, state FROM pg_stat_activity WHERE application_name = '${name}' ORDER BY backend_start, pid`,
    )
    const busy = backends.filter(({ state }) => state !== 'idle')
    const among = random() % 2 === 0 && busy.length > 0 ? busy : backends
    const victim = among[random() % among.length]
    assert.ok(victim !== undefined, 'the store has no connection')
    await rows(`SELECT pg_terminate_backend(${Number(victim['pid'])})`)
    const state = String(victim['state'])
    struck.set(state, (struck.get(state) ?? 0) + 1)
  }
  const strikeAgainAndAgain = async (): Promise<void> => {
    for (let strikes = 0; strikes < STRIKES / STRIKERS; strikes += 1) {
      await take(LEAST_GAP_MS + (random() % (MOST_GAP_MS - LEAST_GAP_MS)))
      await strike()
    }
  }
  await Promise.all(Array.from({ length: STRIKERS }, () => strikeAgainAndAgain()))
  context.diagnostic(`ended: ${[...struck].map(([state, count]) => `${count} ${state}`).join(', ')}`)
  await run.settle()
})
