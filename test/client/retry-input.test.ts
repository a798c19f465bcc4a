import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { z } from 'zod'
import { defineJob, handle, openMillrace } from 'millrace'
import type { Millrace } from 'millrace'

const page = defineJob('page.print', {
  service: 'press',
  input: z.object({ text: z.string() }),
  phases: ['set', 'print'],
  retry: { maxAttempts: 1 },
})

/** Prints what it is given, unless that is empty. */
const printer = handle(page)
  .phase('set', ({ input }) => input.text.toUpperCase())
  .phase('print', ({ results }) => {
    if (results.set === '') throw new Error('nothing to print')
    return results.set
  })

async function openPress(context: TestContext): Promise<Millrace> {
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const mill = await openMillrace('sqlite::memory:', { service: 'press', logger: silent })
  context.after(() => mill.close())
  await mill.work([printer])
  return mill
}

describe('a retry with another input', () => {
  for (const text of ['short', 'long '.repeat(100)]) {
    test(`starts afresh with it (${text.length} characters)`, async (context) => {
      const mill = await openPress(context)
      const { job } = await mill.enqueue(page, { text: '' })
      assert.equal((await mill.waitFor(job)).state, 'failed')
      await mill.retry(job, { fromStart: true, input: { text } })
      const done = await mill.waitFor(job)
      assert.deepEqual([done.state, done.generation, done.output], ['completed', 2, text.toUpperCase()])
      assert.deepEqual(done.input, { text })
    })
  }

  test('is refused unless it starts afresh, and changes nothing', async (context) => {
    const mill = await openPress(context)
    const { job } = await mill.enqueue(page, { text: '' })
    const before = await mill.waitFor(job)
    await assert.rejects(mill.retry(job, { input: { text: 'a' } }), { code: 'option-invalid', path: 'input' })
    await assert.rejects(mill.retry(job, { fromStart: true, input: { text: 7 } }), {
      code: 'input-invalid',
      path: 'input.text',
    })
    assert.deepEqual(await mill.get(job), before)
  })
})
