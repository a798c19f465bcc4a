import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defineJob } from '../../src/client/define-job.ts'
import { UnrecoverableError } from '../../src/core/errors.ts'
import type { Schema } from '../../src/core/schema.ts'
import { handle } from '../../src/worker/handler.ts'
import type { Handler } from '../../src/worker/handler.ts'
import { openWorkplace } from './open-workplace.ts'
import type { Workplace } from './open-workplace.ts'

const plain = defineJob('plain', { service: 'tests', retry: { maxAttempts: 1 } })

/** A schema that answers when the gate opens: with twice the number that it is given, or, of anything else, that it is none. */
function slowly(gate: Promise<unknown>): Schema<number> {
  return {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: async (given) => {
        await gate
        return typeof given === 'number' ? { value: given * 2 } : { issues: [{ message: 'no number' }] }
      },
    },
  }
}

function thenable(
  settle: (resolve: (value: string) => void, reject: (error: unknown) => void) => void,
): Promise<string> {
  // oxlint-disable-next-line unicorn/no-thenable -- what some libraries return in place of a promise
  return { then: settle } as unknown as Promise<string>
}

/** The names of the plans that ended a job or went before its end. */
function plansOf({ calls }: Workplace, jobId: string): readonly string[] {
  return calls.filter((call) => call.jobId === jobId).map(({ plan }) => plan.name)
}

describe('a handler that returns', () => {
  test('at once ends its job in the turn it began', async (context) => {
    const place = await openWorkplace(context)
    const id = await place.enqueue(plain)
    let turned = false
    const endedBefore: boolean[] = []
    place.faults.apply = () => void endedBefore.push(!turned)
    const worker = await place.start([
      handle(plain, () => {
        setImmediate(() => (turned = true))
        return 'at once'
      }),
    ])
    await worker.idle()
    assert.deepEqual(endedBefore, [true])
    assert.deepEqual(plansOf(place, id), ['complete-only-phase'])
    assert.equal((await place.job(id)).output, '"at once"')
  })

  test('by throwing at once ends its job in that turn too', async (context) => {
    const place = await openWorkplace(context)
    const id = await place.enqueue(plain)
    let turned = false
    const endedBefore: boolean[] = []
    place.faults.apply = () => void endedBefore.push(!turned)
    const worker = await place.start([
      handle(plain, () => {
        setImmediate(() => (turned = true))
        throw new UnrecoverableError('at once')
      }),
    ])
    await worker.idle()
    assert.deepEqual(endedBefore, [true])
    assert.deepEqual(plansOf(place, id), ['fail-final'])
  })

  test('a promise is waited for, and so is what only looks like one', async (context) => {
    const place = await openWorkplace(context)
    const gate = Promise.withResolvers<string>()
    const ids = [await place.enqueue(plain, 'promise'), await place.enqueue(plain, 'thenable')]
    const open: ((value: string) => void)[] = []
    const worker = await place.start([
      handle(plain, ({ input }) => (input === 'promise' ? gate.promise : thenable((resolve) => open.push(resolve)))),
    ])
    await place.runtime.advance(5_000)
    assert.equal(worker.running, 2)
    assert.deepEqual(
      ids.flatMap((id) => plansOf(place, id)),
      [],
    )
    gate.resolve('kept')
    open[0]?.('looked like it')
    await worker.idle()
    const outputs = await Promise.all(ids.map(async (id) => (await place.job(id)).output))
    assert.deepEqual(outputs, ['"kept"', '"looked like it"'])
  })
})

describe('a schema that answers later', () => {
  test('is waited for before the handler begins, which is given what the schema made of the input', async (context) => {
    const place = await openWorkplace(context)
    const gate = Promise.withResolvers<void>()
    const double = defineJob('double', { service: 'tests', input: slowly(gate.promise) })
    const id = await place.enqueue(double, 21)
    const inputs: number[] = []
    const worker = await place.start([handle(double, ({ input }) => void inputs.push(input))])
    await place.runtime.advance(1_000)
    assert.deepEqual([inputs, worker.running], [[], 1])
    gate.resolve()
    await worker.idle()
    assert.deepEqual(inputs, [42])
    assert.equal((await place.job(id)).state, 'completed')
  })

  test('is waited for before the job is completed, with what the handler returned', async (context) => {
    const place = await openWorkplace(context)
    const gate = Promise.withResolvers<void>()
    const double = defineJob('double', { service: 'tests', output: slowly(gate.promise) })
    const id = await place.enqueue(double)
    const worker = await place.start([handle(double, () => 21)])
    await place.runtime.advance(1_000)
    assert.deepEqual([plansOf(place, id), worker.running], [[], 1])
    gate.resolve()
    await worker.idle()
    const { state, output } = await place.job(id)
    assert.deepEqual({ state, output }, { state: 'completed', output: '21' })
  })

  test('is waited for in vain when the job is cancelled meanwhile: its handler does not begin', async (context) => {
    const place = await openWorkplace(context)
    const gate = Promise.withResolvers<void>()
    const double = defineJob('double', { service: 'tests', input: slowly(gate.promise) })
    const id = await place.enqueue(double, 21)
    let ran = false
    const worker = await place.start([handle(double, () => void (ran = true))])
    await place.runtime.advance(0)
    await place.cancel(id)
    await place.runtime.advance(50)
    gate.resolve()
    await worker.idle()
    assert.deepEqual([(await place.job(id)).state, ran], ['cancelled', false])
  })
})

describe('a job fails with the verdict of its error', () => {
  const later = Promise.resolve()
  const checked = defineJob('checked', { service: 'tests', input: slowly(later), output: slowly(later) })
  const outcome = (run: () => unknown): Handler => handle(plain, () => run() as null)
  const fatal = (): never => {
    throw new UnrecoverableError('over')
  }
  const passing = (): never => {
    throw Object.assign(new Error('down'), { status: 503 })
  }
  for (const [what, handler, input, verdict] of [
    ['is thrown at once', outcome(fatal), 1, [true, 'unrecoverable', 'over']],
    ['is thrown at once and may pass', outcome(passing), 1, [false, 'http-5xx', 'down']],
    ['rejects a promise', outcome(async () => fatal()), 1, [true, 'unrecoverable', 'over']],
    ['rejects a promise and may pass', outcome(async () => passing()), 1, [false, 'http-5xx', 'down']],
    [
      'rejects what only looks like a promise',
      outcome(() => thenable((_resolve, reject) => reject(new UnrecoverableError('over')))),
      1,
      [true, 'unrecoverable', 'over'],
    ],
    ['is thrown by what only looks like a promise', outcome(() => thenable(fatal)), 1, [true, 'unrecoverable', 'over']],
    ['says later that the input is refused', handle(checked, () => 1), 'one', [true, 'validation', 'no number']],
    [
      'says later that the output is refused',
      handle(checked, () => 'one' as never),
      1,
      [true, 'validation', 'no number'],
    ],
    [
      'says later that the promised output is refused',
      handle(checked, async () => 'one' as never),
      1,
      [true, 'validation', 'no number'],
    ],
  ] as readonly (readonly [string, Handler, unknown, readonly [boolean, string, string]])[]) {
    test(`that ${what}`, async (context) => {
      const place = await openWorkplace(context)
      const id = await place.enqueue(handler.definition, input)
      const worker = await place.start([handler])
      await worker.idle()
      const { attempts } = await place.job(id)
      assert.equal(attempts.length, 1)
      const kept = JSON.parse(attempts[0]?.error ?? '') as {
        message: string
        verdict: { fatal: boolean; rule: string }
      }
      const [isFatal, rule, message] = verdict
      assert.deepEqual(kept.verdict, { fatal: isFatal, rule })
      assert(kept.message.includes(message), kept.message)
    })
  }
})
