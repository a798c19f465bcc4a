/** A handler does the same wherever it runs: in the worker's own thread, in a thread beside it, or in a process of its own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { defineJob, handle, MillraceError } from '../../src/index.ts'
import type { Handler, Isolation, Job } from '../../src/index.ts'
import { eventsOf } from '../support/job-history.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import type { TestMill } from '../support/open-test-mill.ts'
import { ATLAS, FAILING, FAILURES, HANDLERS, ISOLATIONS } from './programs/atlas-handlers.ts'
import type { Failure } from './programs/atlas-handlers.ts'
import { opening, openingHandler } from './programs/opening-handlers.ts'
import { JOBS } from './programs/smithy-handlers.ts'
import { KINDS, openSmithy } from './smithy.ts'

/** All that is told of a job, but for what no two jobs have in common. */
async function accountOf({ mill }: TestMill, job: Job): Promise<object> {
  const { output, error, progress, state, failures } = await mill.get(job)
  const artifacts = await mill.artifacts(job)
  const events = await eventsOf(mill, job)
  return {
    state,
    output,
    failures,
    progress,
    error: error === null ? null : { ...error, stack: error.stack?.split('\n')[0] },
    phases: job.phases.map(({ name, state: phaseState, attempts }) => [name, phaseState, attempts]),
    stops: job.attempts.map(({ outcome, stoppedBy, stoppedAt, endedAt }) => [
      outcome,
      stoppedBy,
      stoppedAt === endedAt,
    ]),
    artifacts: artifacts.map(({ name, phase, sizeBytes, sha256, contentType }) => [
      name,
      phase,
      sizeBytes,
      sha256,
      contentType,
    ]),
    lines: events.filter(({ name }) => name === 'job:log').map(({ detail }) => detail),
    names: events.map(({ name }) => name).filter((name) => name !== 'job:progress'),
  }
}

test('a job comes to the same in every isolation: phases, results, progress, log, artifacts, errors', async (context) => {
  const opened = await openTestMill(context)
  const { mill, work } = opened
  await work(HANDLERS, { concurrency: 4 })
  const accounts = await Promise.all(
    ISOLATIONS.map(async (isolation) => {
      const input = { region: 'FRA', printedAt: '2026-01-02T03:04:05.000Z' }
      const { job } = await mill.enqueue(ATLAS[isolation], input, {
        tenant: 'acme',
        owner: 'ann',
        labels: { book: '7' },
      })
      return accountOf(opened, await mill.waitFor(job.id))
    }),
  )
  const [inline, ...others] = accounts
  assert.equal((inline as Job).state, 'completed')
  for (const account of others) assert.deepEqual(account, inline)
})

test('what a handler throws is judged and kept alike in every isolation', async (context) => {
  const opened = await openTestMill(context)
  const { mill, work } = opened
  await work(HANDLERS, { concurrency: 4 })
  for (const failure of Object.keys(FAILURES) as Failure[]) {
    const [inline, ...others] = await Promise.all(
      ISOLATIONS.map(async (isolation) => {
        const { job } = await mill.enqueue(FAILING[isolation], failure)
        return accountOf(opened, await mill.waitFor(job.id))
      }),
    )
    assert.equal((inline as Job).state, 'failed')
    for (const account of others) assert.deepEqual(account, inline, failure)
  }
})

for (const kind of KINDS) {
  test(`jobs share a ${kind}, one after the other, and there are no more of them than slots`, async (context) => {
    const { mill } = await openSmithy(context, { kinds: [kind], concurrency: 2 })
    const places = await Promise.all(Array.from({ length: 12 }, () => mill.run(JOBS[kind], 'where')))
    const distinct = new Set(places.map((place) => JSON.stringify(place)))
    assert.ok(distinct.size <= 2, `${distinct.size} places`)
    assert.ok(!distinct.has(JSON.stringify({ pid: process.pid, threadId: 0 })), 'and none of them is the worker itself')
  })
}

const plough = defineJob('field.plough', { service: 'farm' })

test('a worker whose handlers cannot be loaded where they are to run is refused, and nothing is started', async (context) => {
  const { mill, work, dump } = await openTestMill(context)
  const before = await dump()
  const moduleNamed = (name: string): string => new URL(name, import.meta.url).href
  for (const isolation of KINDS) {
    const at = (module: string): Handler => handle(plough, { isolation, module }).phase('run', () => null)
    const opens = handle(opening, { isolation, module: openingHandler.module ?? '' }).phase('run', () => 'open')
    const refused: readonly (readonly [what: string, handler: Handler, problem: RegExp])[] = [
      ['does not say its module', handle(plough, { isolation }).phase('run', () => null), /import\.meta\.url/],
      ['is in a module that is not there', at(moduleNamed('./not-there.ts')), /not-there\.ts/],
      [
        'is not in its module',
        at(moduleNamed('./programs/smithy-handlers.ts')),
        /no handler of field\.plough; .* iron\.thread/,
      ],
      ['is in a module that opens Millrace', opens, /runs handlers alone, and Millrace cannot be opened in it/],
    ]
    for (const [what, handler, problem] of refused) {
      await context.test(`one for a ${isolation} that ${what}`, async () => {
        await assert.rejects(work([handler]), (error) => {
          assert.ok(error instanceof MillraceError)
          assert.equal(error.code, 'handler-unloadable')
          assert.equal(error.details['isolation'], isolation)
          assert.match(error.message, problem)
          return true
        })
        assert.deepEqual(await dump(), before)
        assert.deepEqual(await mill.workers(), [])
      })
    }
  }
})

test('an isolation that there is not is refused by name, when the handler is made and when a worker starts', async (context) => {
  const isolation = 'container' as Isolation
  const refusal = { code: 'isolation-unavailable', details: { type: 'field.plough', isolation } }
  assert.throws(() => handle(plough, { isolation, module: import.meta.url }), refusal)
  const { mill, work, dump } = await openTestMill(context)
  const before = await dump()
  const forged = { ...handle(plough, () => null), isolation } satisfies Handler
  await assert.rejects(work([forged]), refusal)
  assert.deepEqual(await dump(), before)
  assert.deepEqual(await mill.workers(), [])
})

test("the isolation 'inline' is what a handler has unless it says otherwise", async (context) => {
  const { mill, work } = await openTestMill(context)
  const said = handle(plough, { isolation: 'inline' }).phase('run', () => process.pid)
  assert.equal(said.isolation, 'inline')
  assert.equal(handle(plough, () => null).isolation, 'inline')
  await work([said])
  assert.equal(await mill.run(plough), process.pid)
})
