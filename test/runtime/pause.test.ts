import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pause, settlesWithin } from '../../src/runtime/pause.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'

test('a pause lasts its time', async () => {
  const runtime = virtualRuntime()
  let over = false
  const pausing = pause(runtime, 100).then(() => (over = true))
  await runtime.advance(99)
  assert.equal(over, false)
  await runtime.advance(1)
  await pausing
})

test('a promise that settles in time is told from one that does not, and no timer is left', async () => {
  const runtime = virtualRuntime()
  assert.equal(await settlesWithin(runtime, 100, Promise.resolve(1)), true)
  assert.equal(await settlesWithin(runtime, 100, Promise.reject(new Error('badly'))), true)
  assert.equal(runtime.waiting, 0)
  const never = settlesWithin(runtime, 100, new Promise(() => {}))
  await runtime.advance(100)
  assert.equal(await never, false)
})
