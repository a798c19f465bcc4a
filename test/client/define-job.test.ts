import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'

import { defineJob } from '../../src/client/define-job.ts'
import type { JobOptions } from '../../src/client/define-job.ts'
import { InvalidInputError } from '../../src/core/errors.ts'

describe('a definition', () => {
  test('says by itself what holds by default', () => {
    const definition = defineJob('mail.send', { service: 'workers' })
    assert.deepEqual(definition, {
      name: 'mail.send',
      service: 'workers',
      queue: 'mail.send',
      input: undefined,
      output: undefined,
      phases: ['run'],
      policy: {
        phases: ['run'],
        maxAttempts: 3,
        backoff: { kind: 'exponential', baseMs: 1_000, maxMs: 600_000, factor: 2, jitter: 0.5 },
        timeoutMs: 1_800_000,
        cancelGraceMs: 5_000,
        maxStrikes: 3,
        expect: { minDurationMs: null, output: false },
        lock: { durationMs: 900_000, quietMs: 600_000, progressed: 'fail' },
      },
      rules: [],
      entityStatus: null,
    })
  })

  test('keeps everything that was said, with durations in milliseconds', () => {
    const input = z.object({ region: z.string() })
    const rules = [{ name: 'no-paper', test: () => 'fatal' as const }]
    const definition = defineJob('map.export', {
      service: 'cartographers',
      input,
      phases: ['load', 'render'],
      retry: { maxAttempts: 5, backoff: { base: '2s', max: '1m', factor: 3, jitter: 0, kind: 'fixed' } },
      timeout: 'none',
      cancelGrace: '250ms',
      queue: 'maps',
      maxStrikes: 1,
      expect: { minDuration: '2s' },
      output: z.string(),
      lock: { duration: '1m', quiet: 0, progressed: 'requeue' },
      rules,
    })
    assert.equal(definition.input, input)
    assert.equal(definition.queue, 'maps')
    assert.deepEqual(definition.rules, rules)
    assert.deepEqual(definition.policy, {
      phases: ['load', 'render'],
      maxAttempts: 5,
      backoff: { kind: 'fixed', baseMs: 2_000, maxMs: 60_000, factor: 3, jitter: 0 },
      timeoutMs: null,
      cancelGraceMs: 250,
      maxStrikes: 1,
      expect: { minDurationMs: 2_000, output: true },
      lock: { durationMs: 60_000, quietMs: 0, progressed: 'requeue' },
    })
  })

  test('can not be changed afterwards', () => {
    const definition = defineJob('mail.send', { service: 'workers', phases: ['write', 'send'] })
    assert.ok(Object.isFrozen(definition) && Object.isFrozen(definition.policy) && Object.isFrozen(definition.phases))
  })

  test('says how long its jobs are kept, where it does', () => {
    const policyOf = (retention: JobOptions['retention'] & {}): object | undefined =>
      defineJob('mail.send', { service: 'workers', retention }).policy.retention
    assert.equal('retention' in defineJob('mail.send', { service: 'workers' }).policy, false)
    assert.deepEqual(policyOf({ completed: '1d', failed: 'none', cancelled: { age: '1h', count: 5 } }), {
      completed: { ageMs: 86_400_000 },
      failed: { ageMs: null, count: null },
      cancelled: { ageMs: 3_600_000, count: 5 },
    })
    assert.deepEqual(policyOf({ completed: { age: 'none' }, failed: { count: 'none' } }), {
      completed: { ageMs: null },
      failed: { count: null },
    })
    const forever = { ageMs: null, count: null }
    assert.deepEqual(policyOf('none'), { completed: forever, failed: forever, cancelled: forever })
  })

  test('with a long first wait has a cap that is as long', () => {
    const { policy } = defineJob('mail.send', { service: 'workers', retry: { backoff: { base: '1h' } } })
    assert.equal(policy.backoff.maxMs, 3_600_000)
  })
})

describe('defineJob refuses', () => {
  const names: readonly (readonly [string, string])[] = [
    ['an empty name', ''],
    ['a name with a space', 'map export'],
    ['a name with a slash', 'map/export'],
    ['a name that begins with a dot', '.map'],
    ['a name of a letter outside ASCII', 'kärtchen'],
    ['a name that is too long', 'm'.repeat(101)],
    ['a name that ends with a line break', 'map\n'],
  ]
  for (const [what, name] of names) {
    test(what, () => {
      assert.throws(() => defineJob(name, { service: 'workers' }), { code: 'name-invalid', path: 'name' })
    })
  }

  test('nothing of a name of 100 characters of every kind', () => {
    const name = `Map-export_2:a.${'m'.repeat(85)}`
    assert.equal(defineJob(name, { service: 'workers' }).name, name)
  })

  const options: readonly (readonly [string, Record<string, unknown>, string])[] = [
    ['a definition without a service', { service: undefined }, 'service'],
    ['an option it does not know', { retires: 3 }, 'options.retires'],
    ['a retry option it does not know', { retry: { attempts: 3 } }, 'retry.attempts'],
    ['a backoff option it does not know', { retry: { backoff: { baseMs: 3 } } }, 'retry.backoff.baseMs'],
    ['no attempt at all', { retry: { maxAttempts: 0 } }, 'retry.maxAttempts'],
    ['half an attempt', { retry: { maxAttempts: 1.5 } }, 'retry.maxAttempts'],
    ['a duration without a unit', { timeout: '5' }, 'timeout'],
    ['a timeout of nothing', { timeout: 0 }, 'timeout'],
    ['a negative grace', { cancelGrace: -1 }, 'cancelGrace'],
    ['a cap below the first wait', { retry: { backoff: { base: '1m', max: '1s' } } }, 'retry.backoff.max'],
    ['a factor below 1', { retry: { backoff: { factor: 0.5 } } }, 'retry.backoff.factor'],
    ['more jitter than there is', { retry: { backoff: { jitter: 1.1 } } }, 'retry.backoff.jitter'],
    ['a backoff of an unknown kind', { retry: { backoff: { kind: 'linear' } } }, 'retry.backoff.kind'],
    ['no phase', { phases: [] }, 'phases'],
    ['101 phases', { phases: Array.from({ length: 101 }, (_, index) => `phase-${index}`) }, 'phases'],
    ['phases that are no list', { phases: 'load' }, 'phases'],
    ['two phases of one name', { phases: ['load', 'render', 'load'] }, 'phases[2]'],
    ['a phase that has no name', { phases: ['load', ''] }, 'phases[1]'],
    ['a queue with a bad name', { queue: 'a queue' }, 'queue'],
    ['a function as a schema', { input: () => true }, 'input'],
    ['an object that is no schema', { output: { parse: () => 1 } }, 'output'],
    ['an expectation of no duration', { expect: { minDuration: -1 } }, 'expect.minDuration'],
    ['an expectation that it does not know', { expect: { speed: 1 } }, 'expect.speed'],
    ['no strike at all', { maxStrikes: 0 }, 'maxStrikes'],
    ['a lock of no time', { lock: { duration: 0 } }, 'lock.duration'],
    ['a lock for ever', { lock: { duration: 'none' } }, 'lock.duration'],
    ['a negative quiet', { lock: { quiet: -1 } }, 'lock.quiet'],
    ['another way with progress', { lock: { progressed: 'retry' } }, 'lock.progressed'],
    ['an unknown option of locks', { lock: { lease: '1m' } }, 'lock.lease'],
    ['a retention of an unknown word', { retention: 'never' }, 'retention'],
    ['a retention of a state that is not final', { retention: { running: '1d' } }, 'retention.running'],
    ['an age that is no duration', { retention: { failed: '1y' } }, 'retention.failed'],
    ['an age in bounds that is none', { retention: { failed: { age: -1 } } }, 'retention.failed.age'],
    ['half a job that is kept', { retention: { completed: { count: 0.5 } } }, 'retention.completed.count'],
    ['a bound that there is not', { retention: { completed: { size: 1 } } }, 'retention.completed.size'],
    ['a retention of nothing', { retention: { cancelled: null } }, 'retention.cancelled'],
    ['a probe that is no function', { entityStatus: 'READY' }, 'entityStatus'],
    ['rules that are no list', { rules: {} }, 'rules'],
    ['a rule without a test', { rules: [{ name: 'no-paper' }] }, 'rules[0].test'],
  ]
  for (const [what, wrong, path] of options) {
    test(what, () => {
      const given = { service: 'workers', ...wrong } as unknown as JobOptions
      assert.throws(
        () => defineJob('map.export', given),
        (error) => error instanceof InvalidInputError && error.path === path && error.message.startsWith(`${path}:`),
      )
    })
  }
})
