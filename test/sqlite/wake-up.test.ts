import assert from 'node:assert/strict'
import { test } from 'node:test'

import { median } from '../support/median.ts'
import { elapsed, openSqlite, runtime } from './sqlite-bench.ts'

for (const thread of [true, false]) {
  test(`a commit of another store is told within milliseconds, thread: ${thread}`, async (t) => {
    const b = await openSqlite(t, { thread })
    const other = await openSqlite(t, { file: b.file })
    const waits: number[] = []
    for (let n = 0; n < 30; n += 1) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const stop = b.store.onChange(resolve)
      await other.add()
      const committedAt = runtime.monotonic()
      await promise
      stop()
      waits.push(runtime.monotonic() - committedAt)
      await elapsed(n % 5)
    }
    // The poll behind it would make it half of 50 ms.
    assert.ok(median(waits) < 20, `${median(waits)} ms in the middle, ${Math.max(...waits)} at worst`)
  })
}

test('two open stores that do nothing use next to no processor time', async (t) => {
  await openSqlite(t)
  const b = await openSqlite(t)
  await b.session()
  const seconds: number[] = []
  for (let n = 0; n < 3; n += 1) {
    await elapsed(200)
    const before = process.cpuUsage()
    await elapsed(1_000)
    const { user, system } = process.cpuUsage(before)
    seconds.push((user + system) / 1_000)
  }
  // The compiler and whoever clears memory away have their turns too, but not in every second.
  assert.ok(Math.min(...seconds) < 100, `${seconds.join(', ')} ms of a second each`)
})
