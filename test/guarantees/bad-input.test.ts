/** Whatever a caller hands in that may not be handed in is refused by name, at the door, and nothing has been changed. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { defineJob, InvalidInputError, MillraceError, NotFoundError, openMillrace } from '../../src/index.ts'
import type { ErrorCode, Millrace } from '../../src/index.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { ID, READ_AND_ACT_DOORS, WORK_DOORS } from './bad-calls.ts'
import { ENQUEUE_DOORS, order } from './bad-enqueues.ts'

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

describe('a bad value is refused with its path, what was expected and a code, and nothing is changed,', () => {
  for (const [name, doors] of [
    ['where jobs are enqueued', ENQUEUE_DOORS],
    ['where jobs are read and acted on', READ_AND_ACT_DOORS],
    ['where a worker is started', WORK_DOORS],
  ] as const) {
    test(name, async (context) => {
      const { mill, dump } = await openTestMill(context)
      await mill.enqueue(order, { book: 7 }, { key: 'order-7' })
      const before = await dump()
      for (const { what, call, code, path } of doors) {
        await assert.rejects(
          async () => call(mill),
          (error) => assertRefusal(error, { code, path }, what),
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
        () => defineJob('order.place', options as never),
        (error) => assertRefusal(error, refusal, what),
      )
    }
    assert.throws(
      () => defineJob(7 as never, { service: 's' }),
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
      await assert.rejects(openMillrace('sqlite::memory:', given as never), (error) =>
        assertRefusal(error, refusal, JSON.stringify(given)),
      )
    }
    for (const url of ['', 'jobs.db', 'mysql://ann:secret@db/jobs', 'postgres:secret', undefined as never]) {
      await assert.rejects(openMillrace(url), (error) => {
        assert.ok(error instanceof MillraceError)
        assert.equal(error.code, 'url-invalid', url)
        assert.ok(!error.message.includes('secret'), 'a password is not shown')
        return true
      })
    }
  })
})

const ACTS: readonly ((mill: Millrace, id: string) => Promise<unknown>)[] = [
  (mill, id) => mill.get(id),
  (mill, id) => mill.cancel(id),
  (mill, id) => mill.retry(id),
  (mill, id) => mill.runNow(id),
  (mill, id) => mill.explain(id),
  (mill, id) => mill.waitFor(id),
  (mill, id) => mill.artifacts(id),
]

test('an id that is no id is simply not found, whatever it looks like', async (context) => {
  const { mill, dump } = await openTestMill(context)
  const before = await dump()
  for (const id of ['', 'order-7', '../../etc/passwd', "' OR 1=1 --", ID, 'x'.repeat(100_000), '\0']) {
    for (const act of ACTS) {
      await assert.rejects(act(mill, id), (error) => {
        assert.ok(error instanceof NotFoundError)
        assert.ok(error.message.length < 1_000)
        return true
      })
    }
  }
  assert.deepEqual(await dump(), before)
})
