/** Whatever a caller hands in that may not be handed in is refused by name, at the door, and nothing has been changed. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import * as fc from 'fast-check'
import { z } from 'zod'

import {
  defineJob,
  handle,
  InvalidInputError,
  LIMITS,
  MillraceError,
  NotFoundError,
  openMillrace,
} from '../../src/index.ts'
import type { ErrorCode, JobOptions, Millrace, MillraceOptions } from '../../src/index.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { scaled } from '../support/scale.ts'

/** A value of a type that the compiler would not let through. */
function wrong<T>(value: unknown): T {
  return value as T
}

interface Refusal {
  readonly code: ErrorCode
  readonly path: string
}

function assertRefusal(error: unknown, { code, path }: Refusal, what: string): true {
  assert.ok(error instanceof InvalidInputError, `${what} was refused by ${String(error)}`)
  assert.deepEqual({ code: error.code, path: error.path }, { code, path }, what)
  assert.ok(error.expected.length > 0, `${what}: what was expected`)
  assert.ok(error.message.startsWith(`${path}: expected `), error.message)
  assert.deepEqual([error.details['path'], error.details['expected']], [path, error.expected])
  return true
}

const order = defineJob('order.place', { service: 'shop' })
const strict = defineJob('order.strict', {
  service: 'shop',
  input: z.object({ book: z.number(), gifts: z.array(z.object({ to: z.string() })).default([]) }),
})
const long = 'x'.repeat(LIMITS.keyCharacters + 1)
const tooManyLabels = Object.fromEntries(Array.from({ length: LIMITS.labels + 1 }, (_none, n) => [`label${n}`, 'x']))
const cycle: Record<string, unknown> = {}
cycle['self'] = cycle

type Door = readonly [what: string, call: (mill: Millrace) => Promise<unknown>, refusal: Refusal]

const ENQUEUE: readonly Door[] = [
  [
    'a definition that is none',
    (mill) => mill.enqueue(wrong<string>({})),
    { code: 'option-invalid', path: 'definition' },
  ],
  ['a type with a space', (mill) => mill.enqueue('order place'), { code: 'name-invalid', path: 'type' }],
  ['an empty type', (mill) => mill.enqueue(''), { code: 'name-invalid', path: 'type' }],
  [
    'an option that is misspelt',
    (mill) => mill.enqueue(order, null, wrong({ piority: 1 })),
    { code: 'option-invalid', path: 'options.piority' },
  ],
  ['options that are none', (mill) => mill.enqueue(order, null, wrong(7)), { code: 'option-invalid', path: 'options' }],
  [
    'a priority with a fraction',
    (mill) => mill.enqueue(order, null, { priority: 0.5 }),
    { code: 'option-invalid', path: 'priority' },
  ],
  [
    'a priority beyond its range',
    (mill) => mill.enqueue(order, null, { priority: 1_000_001 }),
    { code: 'option-invalid', path: 'priority' },
  ],
  ['a negative delay', (mill) => mill.enqueue(order, null, { delay: -1 }), { code: 'option-invalid', path: 'delay' }],
  [
    'a delay without a unit',
    (mill) => mill.enqueue(order, null, { delay: wrong('5') }),
    { code: 'option-invalid', path: 'delay' },
  ],
  [
    'a delay of twenty years',
    (mill) => mill.enqueue(order, null, { delay: '7300d' }),
    { code: 'option-invalid', path: 'delay' },
  ],
  [
    'an invalid date',
    (mill) => mill.enqueue(order, null, { runAt: new Date('never') }),
    { code: 'option-invalid', path: 'runAt' },
  ],
  [
    'an instant in twenty years',
    (mill) => mill.enqueue(order, null, { runAt: Date.now() + 20 * 365 * 86_400_000 }),
    { code: 'option-invalid', path: 'runAt' },
  ],
  [
    'a delay and an instant',
    (mill) => mill.enqueue(order, null, { delay: '1s', runAt: new Date() }),
    { code: 'option-invalid', path: 'runAt' },
  ],
  ['an empty key', (mill) => mill.enqueue(order, null, { key: '' }), { code: 'option-invalid', path: 'key' }],
  ['a key that is too long', (mill) => mill.enqueue(order, null, { key: long }), { code: 'too-large', path: 'key' }],
  ['a key with NUL', (mill) => mill.enqueue(order, null, { key: 'a\0b' }), { code: 'option-invalid', path: 'key' }],
  [
    'a unique key with half a character',
    (mill) => mill.enqueue(order, null, { unique: '\uD800' }),
    { code: 'option-invalid', path: 'unique' },
  ],
  [
    'a tenant that is too long',
    (mill) => mill.enqueue(order, null, { tenant: long }),
    { code: 'too-large', path: 'tenant' },
  ],
  [
    'an owner that is a number',
    (mill) => mill.enqueue(order, null, { owner: wrong(7) }),
    { code: 'option-invalid', path: 'owner' },
  ],
  [
    'a queue with a slash',
    (mill) => mill.enqueue(order, null, { queue: 'a/b' }),
    { code: 'name-invalid', path: 'queue' },
  ],
  [
    'too many labels',
    (mill) => mill.enqueue(order, null, { labels: tooManyLabels }),
    { code: 'option-invalid', path: 'labels' },
  ],
  [
    'a label that is a number',
    (mill) => mill.enqueue(order, null, { labels: wrong({ course: 12 }) }),
    { code: 'option-invalid', path: 'labels.course' },
  ],
  [
    'an input with a function',
    (mill) => mill.enqueue(order, { then: [{ do: () => 1 }] }),
    { code: 'json-invalid', path: 'input.then[0].do' },
  ],
  [
    'an input with a date',
    (mill) => mill.enqueue(order, { at: new Date() }),
    { code: 'json-invalid', path: 'input.at' },
  ],
  [
    'an input with bytes',
    (mill) => mill.enqueue(order, { png: new Uint8Array(8) }),
    { code: 'json-invalid', path: 'input.png' },
  ],
  ['an input with NaN', (mill) => mill.enqueue(order, [1, Number.NaN]), { code: 'json-invalid', path: 'input[1]' }],
  ['an input with a cycle', (mill) => mill.enqueue(order, cycle), { code: 'json-invalid', path: 'input.self' }],
  ['an input with a bigint', (mill) => mill.enqueue(order, 7n), { code: 'json-invalid', path: 'input' }],
  [
    'an input that is too large',
    (mill) => mill.enqueue(order, 'x'.repeat(LIMITS.inputBytes)),
    { code: 'too-large', path: 'input' },
  ],
  [
    'an input that the schema refuses',
    (mill) => mill.enqueue(strict, wrong({ book: '7' })),
    { code: 'input-invalid', path: 'input.book' },
  ],
  [
    'an input that it refuses further in',
    (mill) => mill.enqueue(strict, wrong({ book: 7, gifts: [{ to: 'ann' }, {}] })),
    { code: 'input-invalid', path: 'input.gifts[1].to' },
  ],
  [
    'no input where there must be one',
    (mill) => mill.enqueue(strict, wrong(undefined)),
    { code: 'json-invalid', path: 'input' },
  ],
  ['a list of jobs that is none', (mill) => mill.enqueueMany(wrong('jobs')), { code: 'option-invalid', path: 'jobs' }],
  [
    'an item of another shape',
    (mill) => mill.enqueueMany(wrong([{ definition: order, inputs: 1 }])),
    { code: 'option-invalid', path: 'jobs[0].inputs' },
  ],
  [
    'a bad input in the middle',
    (mill) => mill.enqueueMany([{ definition: order }, { definition: strict, input: wrong({}) }]),
    { code: 'input-invalid', path: 'jobs[1].input.book' },
  ],
  [
    'a bad option at the end',
    (mill) => mill.enqueueMany([{ definition: order }, { definition: order, priority: Number.NaN }]),
    { code: 'option-invalid', path: 'jobs[1].priority' },
  ],
  [
    'run with a bad time-out',
    (mill) => mill.run(order, null, { timeout: wrong('soon') }),
    { code: 'option-invalid', path: 'timeout' },
  ],
]

const READ_AND_ACT: readonly Door[] = [
  ['a job that is nothing', (mill) => mill.get(wrong<string>(undefined)), { code: 'option-invalid', path: 'job' }],
  ['a job that is a number', (mill) => mill.cancel(wrong<string>(7)), { code: 'option-invalid', path: 'job' }],
  ['an object without an id', (mill) => mill.retry(wrong<string>({})), { code: 'option-invalid', path: 'job' }],
  ['list with a limit of 0', (mill) => mill.list({ limit: 0 }), { code: 'option-invalid', path: 'limit' }],
  ['list with a limit beyond', (mill) => mill.list({ limit: 501 }), { code: 'option-invalid', path: 'limit' }],
  [
    'list of a state that is none',
    (mill) => mill.list({ state: wrong('done') }),
    { code: 'option-invalid', path: 'state' },
  ],
  ['list of no state', (mill) => mill.list({ state: [] }), { code: 'option-invalid', path: 'state' }],
  ['list of a type that is none', (mill) => mill.list({ type: 'a b' }), { code: 'name-invalid', path: 'type' }],
  ['list after nothing', (mill) => mill.list({ after: '' }), { code: 'option-invalid', path: 'after' }],
  [
    'list by a label that is empty',
    (mill) => mill.list({ labels: { course: '' } }),
    { code: 'option-invalid', path: 'labels.course' },
  ],
  [
    'list with a misspelt option',
    (mill) => mill.list(wrong({ states: 'queued' })),
    { code: 'option-invalid', path: 'options.states' },
  ],
  [
    'counts with a misspelt option',
    (mill) => mill.counts(wrong({ kind: 'x' })),
    { code: 'option-invalid', path: 'options.kind' },
  ],
  ['events after a fraction', (mill) => mill.events({ after: 0.5 }), { code: 'option-invalid', path: 'after' }],
  ['events with a limit beyond', (mill) => mill.events({ limit: 1_000 }), { code: 'option-invalid', path: 'limit' }],
  ['subscribe without a listener', (mill) => mill.subscribe(wrong(null)), { code: 'option-invalid', path: 'listener' }],
  [
    'subscribe after a text',
    (mill) => mill.subscribe(() => null, { after: wrong('1') }),
    { code: 'option-invalid', path: 'after' },
  ],
  [
    'subscribe with a misspelt option',
    (mill) => mill.subscribe(() => null, wrong({ jobs: [] })),
    { code: 'option-invalid', path: 'options.jobs' },
  ],
  [
    'waitFor a state that is none',
    (mill) => mill.waitFor(ID, { state: wrong('over') }),
    { code: 'option-invalid', path: 'state' },
  ],
  ['waitFor a negative time', (mill) => mill.waitFor(ID, { timeout: -5 }), { code: 'option-invalid', path: 'timeout' }],
  ['cancel by nobody', (mill) => mill.cancel(ID, { actor: '' }), { code: 'option-invalid', path: 'actor' }],
  [
    'cancel for a reason that is too long',
    (mill) => mill.cancel(ID, { reason: 'r'.repeat(1_001) }),
    { code: 'too-large', path: 'reason' },
  ],
  [
    'cancel with a misspelt option',
    (mill) => mill.cancel(ID, wrong({ by: 'ann' })),
    { code: 'option-invalid', path: 'options.by' },
  ],
  [
    'retry with a flag that is none',
    (mill) => mill.retry(ID, { fromStart: wrong('yes') }),
    { code: 'option-invalid', path: 'fromStart' },
  ],
  [
    'retry from a phase that is no name',
    (mill) => mill.retry(ID, { from: 'a b' }),
    { code: 'name-invalid', path: 'from' },
  ],
  ['pause of a queue that is no name', (mill) => mill.pauseQueue('a/b'), { code: 'name-invalid', path: 'queue' }],
  ['pause by nobody', (mill) => mill.pauseQueue('paper', { actor: '' }), { code: 'option-invalid', path: 'actor' }],
  ['resume of a queue that is no name', (mill) => mill.resumeQueue(''), { code: 'name-invalid', path: 'queue' }],
  ['openArtifact of nothing', (mill) => mill.openArtifact(''), { code: 'option-invalid', path: 'artifactId' }],
]

const ID = '019b7613-6800-7000-8000-00000000dead'
const handler = handle(order, () => null)

const WORK: readonly Door[] = [
  ['no handlers', (mill) => mill.work([]), { code: 'option-invalid', path: 'handlers' }],
  ['two handlers of one type', (mill) => mill.work([handler, handler]), { code: 'option-invalid', path: 'handlers' }],
  [
    'no concurrency',
    (mill) => mill.work([handler], { concurrency: 0 }),
    { code: 'option-invalid', path: 'concurrency' },
  ],
  [
    'half a slot',
    (mill) => mill.work([handler], { concurrency: 1.5 }),
    { code: 'option-invalid', path: 'concurrency' },
  ],
  [
    'too much concurrency',
    (mill) => mill.work([handler], { concurrency: 10_001 }),
    { code: 'option-invalid', path: 'concurrency' },
  ],
  [
    'a lease that is too short',
    (mill) => mill.work([handler], { lease: 99 }),
    { code: 'option-invalid', path: 'lease' },
  ],
  [
    'a lease that is none',
    (mill) => mill.work([handler], { lease: wrong('long') }),
    { code: 'option-invalid', path: 'lease' },
  ],
  [
    'a drain that is none',
    (mill) => mill.work([handler], { drain: wrong(null) }),
    { code: 'option-invalid', path: 'drain' },
  ],
  [
    'negative slots',
    (mill) => mill.work([handler], { maxAbandonedSlots: -1 }),
    { code: 'option-invalid', path: 'maxAbandonedSlots' },
  ],
]

describe('a bad value is refused with its path, what was expected and a code, and nothing is changed,', () => {
  for (const [name, doors] of [
    ['where jobs are enqueued', ENQUEUE],
    ['where jobs are read and acted on', READ_AND_ACT],
    ['where a worker is started', WORK],
  ] as const) {
    test(name, async (context) => {
      const { mill, dump } = await openTestMill(context)
      await mill.enqueue(order, { book: 7 }, { key: 'order-7' })
      const before = await dump()
      for (const [what, call, refusal] of doors) {
        await assert.rejects(
          async () => call(mill),
          (error) => assertRefusal(error, refusal, what),
          what,
        )
      }
      assert.deepEqual(await dump(), before)
      assert.deepEqual(await mill.workers(), [], 'no worker has been started')
    })
  }

  test('where a job type is defined', () => {
    const cases: readonly (readonly [options: unknown, refusal: Refusal])[] = [
      [undefined, { code: 'option-invalid', path: 'options' }],
      [{}, { code: 'name-invalid', path: 'service' }],
      [{ service: 'a b' }, { code: 'name-invalid', path: 'service' }],
      [
        { service: 's', retries: 3 },
        { code: 'option-invalid', path: 'options.retries' },
      ],
      [
        { service: 's', phases: [] },
        { code: 'option-invalid', path: 'phases' },
      ],
      [
        { service: 's', phases: ['a', 'b', 'a'] },
        { code: 'option-invalid', path: 'phases[2]' },
      ],
      [
        { service: 's', phases: ['a', 7] },
        { code: 'name-invalid', path: 'phases[1]' },
      ],
      [
        { service: 's', phases: Array.from({ length: 101 }, (_none, n) => `p${n}`) },
        { code: 'option-invalid', path: 'phases' },
      ],
      [
        { service: 's', input: { parse: () => 1 } },
        { code: 'option-invalid', path: 'input' },
      ],
      [
        { service: 's', output: 'text' },
        { code: 'option-invalid', path: 'output' },
      ],
      [
        { service: 's', timeout: 0 },
        { code: 'option-invalid', path: 'timeout' },
      ],
      [
        { service: 's', timeout: '5 minutes' },
        { code: 'option-invalid', path: 'timeout' },
      ],
      [
        { service: 's', cancelGrace: -1 },
        { code: 'option-invalid', path: 'cancelGrace' },
      ],
      [
        { service: 's', maxStrikes: 0 },
        { code: 'option-invalid', path: 'maxStrikes' },
      ],
      [
        { service: 's', retry: { maxAttempts: 0 } },
        { code: 'option-invalid', path: 'retry.maxAttempts' },
      ],
      [
        { service: 's', retry: { attempts: 3 } },
        { code: 'option-invalid', path: 'retry.attempts' },
      ],
      [
        { service: 's', retry: { backoff: { jitter: 2 } } },
        { code: 'option-invalid', path: 'retry.backoff.jitter' },
      ],
      [
        { service: 's', retry: { backoff: { base: '1m', max: '1s' } } },
        { code: 'option-invalid', path: 'retry.backoff.max' },
      ],
      [
        { service: 's', retry: { backoff: { kind: 'linear' } } },
        { code: 'option-invalid', path: 'retry.backoff.kind' },
      ],
      [
        { service: 's', rules: [{ name: 'r', test: 'x' }] },
        { code: 'option-invalid', path: 'rules[0].test' },
      ],
    ]
    for (const [options, refusal] of cases) {
      const what = JSON.stringify(options) ?? 'no options'
      assert.throws(
        () => defineJob('order.place', wrong<JobOptions>(options)),
        (error) => assertRefusal(error, refusal, what),
      )
    }
    assert.throws(
      () => defineJob(wrong<string>(7), { service: 's' }),
      (error) => assertRefusal(error, { code: 'name-invalid', path: 'name' }, 'a name that is a number'),
    )
  })

  test('where a Millrace is opened', async () => {
    const options: readonly (readonly [unknown, Refusal])[] = [
      [{ services: 'x' }, { code: 'option-invalid', path: 'options.services' }],
      [{ service: 'a b' }, { code: 'name-invalid', path: 'service' }],
      [{ logger: { info: () => null } }, { code: 'option-invalid', path: 'logger' }],
      [{ durability: 'none' }, { code: 'option-invalid', path: 'durability' }],
      [{ thread: 'no' }, { code: 'option-invalid', path: 'thread' }],
      [{ threadFile: 7 }, { code: 'option-invalid', path: 'threadFile' }],
      [{ artifacts: '' }, { code: 'option-invalid', path: 'artifacts' }],
    ]
    for (const [given, refusal] of options) {
      await assert.rejects(openMillrace('sqlite::memory:', wrong<MillraceOptions>(given)), (error) =>
        assertRefusal(error, refusal, JSON.stringify(given)),
      )
    }
    for (const url of ['', 'jobs.db', 'postgres://ann:secret@db/jobs', 'mysql://db', wrong<string>(undefined)]) {
      await assert.rejects(openMillrace(url), (error) => {
        assert.ok(error instanceof MillraceError)
        assert.equal(error.code, 'url-invalid', url)
        assert.ok(!error.message.includes('secret'), 'a password is not shown')
        return true
      })
    }
  })
})

test('an id that is no id is simply not found, whatever it looks like', async (context) => {
  const { mill, dump } = await openTestMill(context)
  const before = await dump()
  for (const id of ['', 'order-7', '../../etc/passwd', "' OR 1=1 --", ID, 'x'.repeat(100_000), '\0']) {
    for (const call of [
      mill.get(id),
      mill.cancel(id),
      mill.retry(id),
      mill.runNow(id),
      mill.explain(id),
      mill.waitFor(id),
    ]) {
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof NotFoundError)
        assert.ok(error.message.length < 1_000)
        return true
      })
    }
  }
  assert.deepEqual(await dump(), before)
})

describe('any value at all', () => {
  const anything = fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true })

  test('as an input is either kept as it was, or refused with nothing changed', async (context) => {
    const { mill } = await openTestMill(context)
    let stored = 0
    await fc.assert(
      fc.asyncProperty(anything, async (input) => {
        const enqueued = await mill.enqueue(order, input).catch((error: unknown) => error)
        if (enqueued instanceof Error) {
          assert.ok(enqueued instanceof InvalidInputError, String(enqueued))
          assert.match(enqueued.path, /^input/)
          return
        }
        stored += 1
        const { job } = enqueued as Awaited<ReturnType<typeof mill.enqueue<typeof order>>>
        assert.deepEqual((await mill.get(job)).input, JSON.parse(JSON.stringify(input ?? null)))
      }),
      { numRuns: scaled(300) },
    )
    assert.equal((await mill.counts()).queued, stored, 'what was refused has left nothing')
  })

  test('as any option of enqueue is taken or refused, and never a surprise', async (context) => {
    const { mill } = await openTestMill(context)
    const name = fc.constantFrom('tenant', 'owner', 'labels', 'priority', 'delay', 'runAt', 'key', 'unique', 'queue')
    let stored = 0
    await fc.assert(
      fc.asyncProperty(name, anything, async (option, value) => {
        const enqueued = await mill.enqueue(order, null, wrong({ [option]: value })).catch((error: unknown) => error)
        if (enqueued instanceof Error) {
          assert.ok(enqueued instanceof InvalidInputError, `${option}: ${String(enqueued)}`)
          assert.ok(enqueued.path.startsWith(option), enqueued.path)
          return
        }
        const { outcome } = enqueued as { readonly outcome: string }
        if (outcome === 'created') stored += 1
      }),
      { numRuns: scaled(300) },
    )
    const { queued, scheduled } = await mill.counts()
    assert.equal(queued + scheduled, stored)
  })
})
