/** What this version cannot give it refuses by name, instead of running a handler where it was not meant to run. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { defineJob, handle, MillraceError } from '../../src/index.ts'
import type { Handler, Isolation } from '../../src/index.ts'
import { openTestMill } from '../support/open-test-mill.ts'

const render = defineJob('map.render', { service: 'maps' })

function isRefusalOf(isolation: string): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof MillraceError)
    assert.equal(error.code, 'isolation-unavailable')
    assert.deepEqual(error.details, { type: 'map.render', isolation })
    assert.match(error.message, new RegExp(`'${isolation}'`))
    assert.match(error.message, /'inline'/, 'the message says what to write instead')
    return true
  }
}

for (const isolation of ['thread', 'process', 'container'] as const) {
  test(`the isolation '${isolation}' is refused by name when the handler is made`, () => {
    assert.throws(
      () => handle(render, { isolation: isolation as Isolation, module: import.meta.url }),
      isRefusalOf(isolation),
    )
  })

  test(`a handler that was given the isolation '${isolation}' by hand is refused when a worker starts, and nothing is`, async (context) => {
    const { mill, work, dump } = await openTestMill(context)
    const before = await dump()
    const forged = { ...handle(render, () => null), isolation: isolation as Isolation } satisfies Handler
    await assert.rejects(work([forged]), { code: 'isolation-unavailable' })
    assert.deepEqual(await dump(), before)
    assert.deepEqual(await mill.workers(), [])
  })
}

test("the isolation 'inline' is what a handler has unless it says otherwise", async (context) => {
  const { mill, work } = await openTestMill(context)
  const said = handle(render, { isolation: 'inline' }).phase('run', () => process.pid)
  assert.equal(said.isolation, 'inline')
  assert.equal(handle(render, () => null).isolation, 'inline')
  await work([said])
  assert.equal(await mill.run(render), process.pid)
})
