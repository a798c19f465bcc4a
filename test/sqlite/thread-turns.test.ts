/** The answers of a large commit are given in several turns of the event loop, and nothing that comes behind them overtakes them. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { pathToFileURL } from 'node:url'

import { packNewJobs } from '../../src/sqlite/packed-calls.ts'
import { ThreadLink } from '../../src/sqlite/thread-link.ts'
import { blockUntil } from '../support/block-until.ts'
import { LEASE_MS, newJob } from '../support/contract-bench.ts'
import { nextTurn } from '../support/wait-for-event.ts'
import { newFile, newFolder, runtime } from './sqlite-bench.ts'

const THREAD = new URL('../../src/sqlite/thread.ts', import.meta.url)

interface LinkBench {
  readonly link: ThreadLink
  readonly file: string
  /** What happened, in order, each in the turn of the event loop in which it did. */
  readonly told: readonly Told[]
  /** Enqueues one job with each call; what becomes of them is told. */
  readonly call: (count: number) => Promise<unknown>
  /** Tells of it when it has happened. */
  readonly note: (what: string, happening: Promise<unknown>) => Promise<unknown>
  /** Resolves once the calls made so far have been posted. */
  readonly posted: () => Promise<void>
}

interface Told {
  readonly what: string
  readonly turn: number
}

/** The turn that the word of the pause began is over then: what comes later begins one of its own, however soon it comes. */
async function pauseAndRest(link: ThreadLink): Promise<void> {
  await link.pause()
  for (let turns = 0; turns < 3; turns += 1) await nextTurn()
}

/** The thread is paused, so that all that is called until it goes on shares a commit and a message. */
async function openPaused(context: TestContext, threadFile = THREAD): Promise<LinkBench> {
  const told: Told[] = []
  let turn = 0
  let open = true
  const count = (): void => {
    turn += 1
    if (open) runtime.after(0, count)
  }
  const tell = (what: string): void => {
    told.push({ what, turn })
  }
  const file = newFile(context)
  const link = await ThreadLink.open(
    threadFile,
    { role: 'writer', file, durability: 'normal', maxBytes: null, clock: null, pulse: null },
    { onCommit: () => tell('commit'), onSessionLost: () => undefined, onBroken: () => tell('broken') },
  )
  context.after(async () => {
    open = false
    await link.close()
  })
  const note: LinkBench['note'] = (what, happening) =>
    happening.then(
      () => tell(what),
      () => tell(`${what} refused`),
    )
  await pauseAndRest(link)
  runtime.after(0, count)
  return {
    link,
    file,
    told,
    call(calls) {
      const made = Array.from({ length: calls }, (_, index) =>
        note(`${index}`, link.call('jobs.enqueue', packNewJobs([newJob(runtime.uuid())]))),
      )
      return Promise.all(made)
    },
    note,
    posted: () => Promise.resolve(),
  }
}

/** The thread has had time by then to say what it has committed. */
const PILE_UP_MS = 500

/** How many calls were answered in each turn. */
function answeredATurn(told: readonly Told[]): readonly number[] {
  const answers = told.filter(({ what }) => Number.isInteger(Number(what)))
  return [...Map.groupBy(answers, ({ turn }) => turn).values()].map((group) => group.length)
}

function inOrder(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${index}`)
}

test('a thousand answers of one commit are given in the order of the calls, two hundred and fifty a turn', async (t) => {
  const { link, told, call, posted } = await openPaused(t)
  const answered = call(1_000)
  await posted()
  link.resume()
  await answered
  assert.deepEqual(answeredATurn(told), [250, 250, 250, 250])
  const answers = told.map(({ what }) => what).filter((what) => what !== 'commit')
  assert.deepEqual(answers, inOrder(1_000))
})

test('of a hundred answers one half is given a turn before the other, and a few are given at once', async (t) => {
  for (const [count, turns] of [
    [200, [100, 100]],
    [100, [64, 36]],
    [60, [60]],
  ] as const) {
    const { link, told, call, posted } = await openPaused(t)
    const answered = call(count)
    await posted()
    link.resume()
    await answered
    assert.deepEqual(answeredATurn(told), turns)
  }
})

test('answers of several commits that have come by the same turn share its two hundred and fifty', async (t) => {
  const { link, told, call, file } = await openPaused(t)
  link.resume()
  const commits = Array.from({ length: 6 }, () => {
    const answered = call(60)
    // Before it pauses, the thread commits what has come.
    void link.pause()
    link.resume()
    return answered
  })
  const answered = Promise.all(commits)
  blockUntil(file, 360, 'true', PILE_UP_MS)
  await answered
  assert.deepEqual(answeredATurn(told), [250, 110])
})

test('a commit is told of once, after the last of its answers has been given', async (t) => {
  const { link, told, call, note, posted } = await openPaused(t)
  const answered = call(600)
  await posted()
  link.resume()
  await Promise.all([answered, note('read', link.call('now', undefined))])
  const turnsOf = (wanted: string): readonly number[] =>
    told.filter(({ what }) => what === wanted).map(({ turn }) => turn)
  assert.deepEqual(turnsOf('commit'), turnsOf('599'))
})

test('a claim counts for as many answers as it may bring jobs, unless it brings none', async (t) => {
  const { link, told, note, call, posted } = await openPaused(t)
  const worker = { service: 'maps', host: 'here', pid: 1 }
  const opened = link.call('sessions.open', { ...worker, holder: 1, leaseMs: LEASE_MS, concurrency: 10 })
  const enqueued = call(3)
  link.resume()
  await Promise.all([opened, enqueued])
  await pauseAndRest(link)
  const before = told.length
  const claims = [1, 2, 3, 4, 5, 6].map((number) =>
    note(`${number}`, link.call('claims.claim', { holder: 1, types: ['map.export'], limit: 1 })),
  )
  await posted()
  link.resume()
  await Promise.all(claims)
  assert.deepEqual(answeredATurn(told.slice(before)), [1, 1, 1, 3])
})

test('a pause that was asked for behind many calls resolves after the last of their answers', async (t) => {
  const { link, told, call, note, posted } = await openPaused(t)
  const answered = call(600)
  await posted()
  link.resume()
  await Promise.all([answered, note('paused', link.pause())])
  const happened = told.map(({ what }) => what).filter((what) => what !== 'commit')
  assert.deepEqual(happened, [...inOrder(600), 'paused'])
  link.resume()
})

test('what was called before a close is answered before it resolves, also what waits for its turn', async (t) => {
  for (const when of ['at once', 'after the first answers'] as const) {
    const { link, told, call, note, posted } = await openPaused(t)
    const first = link.call('now', undefined)
    const answered = call(600)
    await posted()
    link.resume()
    if (when === 'after the first answers') await first
    await note('closed', link.close())
    await answered
    const happened = told.map(({ what }) => what).filter((what) => what !== 'commit')
    assert.deepEqual(happened, [...inOrder(600), 'closed'], when)
  }
})

test('answers that wait for their turn when the thread dies are given all the same', async (t) => {
  const dying = join(newFolder(t), 'dying.mjs')
  writeFileSync(
    dying,
    `import { parentPort } from 'node:worker_threads'
    const post = parentPort.postMessage.bind(parentPort)
    parentPort.postMessage = (message) => {
      post(message)
      if (message.kind === 'answers') setImmediate(() => { throw new Error('dead') })
    }
    await import(${JSON.stringify(THREAD.href)})`,
  )
  const { link, told, call, note, posted, file } = await openPaused(t, pathToFileURL(dying))
  const [first, answered] = [link.call('now', undefined), call(1_000)]
  await posted()
  link.resume()
  await first
  // Meanwhile the thread has died, and most of the answers have not been given.
  blockUntil(file, 1_000, 'true', PILE_UP_MS)
  await Promise.all([answered, note('late', link.call('now', undefined))])
  const happened = told.map(({ what }) => what)
  assert.deepEqual(
    happened.filter((what) => what.endsWith('refused')),
    ['late refused'],
  )
  assert.deepEqual(
    happened.filter((what) => Number.isInteger(Number(what))),
    inOrder(1_000),
  )
  assert.ok(happened.includes('broken'))
})
