/**
 * Two workers and a producer on machines of their own, one of which loses its network while it runs jobs, and gets it back. The machines are
 * network namespaces; where those can't be made, processes whose way to the server falls silent, which the test says.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import type { Millrace } from '../../src/index.ts'
import { seededWords } from '../../src/runtime/seeded-random.ts'
import { LEASE_MS, startMillRun, STEADY } from '../support/mill-run.ts'
import { readAll } from '../support/mill-accounts.ts'
import { newNetworkHost } from '../support/network-host.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { postgresDatabase } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'
import { scaled } from '../support/scale.ts'
import { seedOf } from '../support/seed.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { take } from '../support/wait-for-event.ts'

const CUTS = scaled(2)
/** On a busy machine it may be cut off while it has nothing in hand. */
const MOST_CUTS = 5 * CUTS
/** Longer than its lease, and than it takes it to notice. */
const CUT_OFF_MS = LEASE_MS + 1_000
const CONNECTED_MS = 800

interface Machine {
  readonly url: string
  /** What starts a program there. */
  readonly command: readonly string[]
  cutOff(): void
  connectAgain(): void
}

async function newMachine(context: TestContext, server: string): Promise<Machine> {
  const host = newNetworkHost()
  if ('problem' in host) {
    context.diagnostic(`no network namespaces here, so these are mere processes: ${host.problem}`)
    const proxy = await openTcpProxy(server)
    context.after(() => proxy.close())
    const url = proxy.through(server)
    return { url, command: [], cutOff: () => proxy.goSilent(), connectAgain: () => proxy.letPass() }
  }
  // The server listens on the loopback of this machine alone.
  const door = await openTcpProxy(server, { host: host.gateway })
  context.after(async () => {
    await door.close()
    host.remove()
  })
  return {
    url: door.through(server),
    command: host.command,
    cutOff: () => host.pullCable(),
    connectAgain: () => host.plugIn(),
  }
}

test('what a machine that is cut off has in hand others take over, and refuse what it writes when it is back', async (context) => {
  const server = await postgresUrl()
  const random = seededWords(seedOf(context))
  const opened = await openTestMill(context, { maintenance: false }, () =>
    postgresDatabase({ options: { statementTimeout: '1s' } }),
  )
  const [cut, steady, producers] = [
    await newMachine(context, server),
    await newMachine(context, server),
    await newMachine(context, server),
  ]
  const run = await startMillRun({ opened, random, context })
  const cutWorker = await run.startWorker({ url: cut.url }, cut.command)
  const steadyWorker = await run.startWorker({ url: steady.url, options: STEADY }, steady.command)
  await run.startProducer({ url: producers.url }, producers.command)
  const takenOver = async (): Promise<boolean> => {
    const lost = await lostAttempts(opened.mill)
    return lost.some(({ by, next }) => by === cutWorker.pid && next === steadyWorker.pid)
  }
  for (let cuts = 0; cuts < CUTS || (cuts < MOST_CUTS && !(await takenOver())); cuts += 1) {
    const begun = cutWorker.count('entered')
    await take(CONNECTED_MS)
    await cutWorker.hear('entered', { nth: begun + 1 })
    cut.cutOff()
    await take(CUT_OFF_MS)
    cut.connectAgain()
  }
  await take(CONNECTED_MS)
  await run.settle({ heldUpMs: 1_000 })
  const lost = await lostAttempts(opened.mill)
  assert.deepEqual(
    [...new Set(lost.map(({ by }) => by))],
    [cutWorker.pid],
    'what was lost, the machine that was cut off had',
  )
  assert.ok(await takenOver(), 'the other worker has taken some of it over')
})

interface Lost {
  /** The process that had the job, and the one that has it, or had it last. */
  readonly by: number | undefined
  readonly next: number | undefined
}

async function lostAttempts(mill: Millrace): Promise<readonly Lost[]> {
  return (await readAll(mill)).flatMap(({ attempts, worker }) =>
    attempts
      .filter(({ outcome }) => outcome === 'lost')
      .map((attempt) => ({ by: attempt.worker?.pid, next: worker?.pid })),
  )
}
