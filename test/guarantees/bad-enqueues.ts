/** What may not be handed in where jobs are enqueued, and by what it is refused. */
import { z } from 'zod'

import { defineJob, LIMITS } from '../../src/index.ts'
import type { ErrorCode, JobDefinition, Millrace } from '../../src/index.ts'

/** A call with a bad value, and the refusal that it must meet. */
export interface Door {
  readonly what: string
  readonly code: ErrorCode
  readonly path: string
  readonly call: (mill: Millrace) => Promise<unknown>
}

export function door(what: string, code: ErrorCode, path: string, call: Door['call']): Door {
  return { what, code, path, call }
}

export const order: JobDefinition<'order.place', undefined, undefined, readonly ['run']> = defineJob('order.place', {
  service: 'shop',
})
const strict = defineJob('order.strict', {
  service: 'shop',
  input: z.object({ book: z.number(), gifts: z.array(z.object({ to: z.string() })).default([]) }),
})
const long = 'x'.repeat(LIMITS.keyCharacters + 1)
const tooManyLabels = Object.fromEntries(Array.from({ length: LIMITS.labels + 1 }, (_none, n) => [`label${n}`, 'x']))
const cycle: Record<string, unknown> = {}
cycle['self'] = cycle

export const ENQUEUE_DOORS: readonly Door[] = [
  door('a definition that is none', 'option-invalid', 'definition', (mill) => mill.enqueue({} as unknown as string)),
  door('a type with a space', 'name-invalid', 'type', (mill) => mill.enqueue('order place')),
  door('an empty type', 'name-invalid', 'type', (mill) => mill.enqueue('')),
  door('an option that is misspelt', 'option-invalid', 'options.piority', (mill) =>
    mill.enqueue(order, null, { piority: 1 } as never),
  ),
  door('options that are none', 'option-invalid', 'options', (mill) => mill.enqueue(order, null, 7 as never)),
  door('a priority with a fraction', 'option-invalid', 'priority', (mill) =>
    mill.enqueue(order, null, { priority: 0.5 }),
  ),
  door('a priority beyond its range', 'option-invalid', 'priority', (mill) =>
    mill.enqueue(order, null, { priority: 1_000_001 }),
  ),
  door('a negative delay', 'option-invalid', 'delay', (mill) => mill.enqueue(order, null, { delay: -1 })),
  door('a delay without a unit', 'option-invalid', 'delay', (mill) =>
    mill.enqueue(order, null, { delay: '5' as never }),
  ),
  door('a delay of twenty years', 'option-invalid', 'delay', (mill) => mill.enqueue(order, null, { delay: '7300d' })),
  door('an invalid date', 'option-invalid', 'runAt', (mill) => mill.enqueue(order, null, { runAt: new Date('never') })),
  door('an instant in twenty years', 'option-invalid', 'runAt', (mill) =>
    mill.enqueue(order, null, { runAt: Date.now() + 20 * 365 * 86_400_000 }),
  ),
  door('a delay and an instant', 'option-invalid', 'runAt', (mill) =>
    mill.enqueue(order, null, { delay: '1s', runAt: new Date() }),
  ),
  door('an empty key', 'option-invalid', 'key', (mill) => mill.enqueue(order, null, { key: '' })),
  door('a key that is too long', 'too-large', 'key', (mill) => mill.enqueue(order, null, { key: long })),
  door('a key with NUL', 'option-invalid', 'key', (mill) => mill.enqueue(order, null, { key: 'a\0b' })),
  door('a unique key with half a character', 'option-invalid', 'unique', (mill) =>
    mill.enqueue(order, null, { unique: '\uD800' }),
  ),
  door('a tenant that is too long', 'too-large', 'tenant', (mill) => mill.enqueue(order, null, { tenant: long })),
  door('an owner that is a number', 'option-invalid', 'owner', (mill) =>
    mill.enqueue(order, null, { owner: 7 as never }),
  ),
  door('a queue with a slash', 'name-invalid', 'queue', (mill) => mill.enqueue(order, null, { queue: 'a/b' })),
  door('too many labels', 'option-invalid', 'labels', (mill) => mill.enqueue(order, null, { labels: tooManyLabels })),
  door('a label that is a number', 'option-invalid', 'labels.course', (mill) =>
    mill.enqueue(order, null, { labels: { course: 12 } as never }),
  ),
  door('an input with a function', 'json-invalid', 'input.steps[0].run', (mill) =>
    mill.enqueue(order, { steps: [{ run: () => 1 }] }),
  ),
  door('an input with a date', 'json-invalid', 'input.at', (mill) => mill.enqueue(order, { at: new Date() })),
  door('an input with bytes', 'json-invalid', 'input.png', (mill) => mill.enqueue(order, { png: new Uint8Array(8) })),
  door('an input with NaN', 'json-invalid', 'input[1]', (mill) => mill.enqueue(order, [1, Number.NaN])),
  door('an input with a cycle', 'json-invalid', 'input.self', (mill) => mill.enqueue(order, cycle)),
  door('an input with a bigint', 'json-invalid', 'input', (mill) => mill.enqueue(order, 7n)),
  door('an input that is too large', 'too-large', 'input', (mill) =>
    mill.enqueue(order, 'x'.repeat(LIMITS.inputBytes)),
  ),
  door('an input that the schema refuses', 'input-invalid', 'input.book', (mill) =>
    mill.enqueue(strict, { book: '7' } as never),
  ),
  door('an input that it refuses further in', 'input-invalid', 'input.gifts[1].to', (mill) =>
    mill.enqueue(strict, { book: 7, gifts: [{ to: 'ann' }, {}] } as never),
  ),
  door('no input where there must be one', 'json-invalid', 'input', (mill) => mill.enqueue(strict, undefined as never)),
  door('a list of jobs that is none', 'option-invalid', 'jobs', (mill) => mill.enqueueMany('jobs' as never)),
  door('an item of another shape', 'option-invalid', 'jobs[0].inputs', (mill) =>
    mill.enqueueMany([{ definition: order, inputs: 1 }] as never),
  ),
  door('a bad input in the middle', 'input-invalid', 'jobs[1].input.book', (mill) =>
    mill.enqueueMany([{ definition: order }, { definition: strict, input: {} as never }]),
  ),
  door('a bad option at the end', 'option-invalid', 'jobs[1].priority', (mill) =>
    mill.enqueueMany([{ definition: order }, { definition: order, priority: Number.NaN }]),
  ),
  door('run with a bad time-out', 'option-invalid', 'timeout', (mill) =>
    mill.run(order, null, { timeout: 'soon' as never }),
  ),
]
