import assert from 'node:assert/strict'
import { test } from 'node:test'

import { elapsed, openSqlite, until } from './sqlite-bench.ts'

for (const thread of [true, false]) {
  const where = thread ? 'on the thread' : "on the caller's thread"

  test(`a claim that finds nothing tells nobody of a change, ${where}`, async (t) => {
    const b = await openSqlite(t, { thread })
    const holder = await b.session()
    await b.add({ queue: 'paused', delayMs: 60_000 })
    let told = 0
    b.store.onChange(() => {
      told += 1
    })
    for (let n = 0; n < 3; n += 1) assert.deepEqual(await b.claim(holder), [])
    await b.sweep()
    await elapsed(120)
    assert.equal(told, 0)
    await b.add()
    assert.equal(told, 1)
  })

  test(`a listener that throws harms neither the others nor the call, ${where}`, async (t) => {
    const b = await openSqlite(t, { thread })
    let told = 0
    b.store.onChange(() => {
      throw new Error('a listener of no use')
    })
    b.store.onChange(() => {
      told += 1
    })
    await b.add()
    assert.equal(told, 1)
    assert.match(b.logged.join('\n'), /listener/)
  })

  test(`a commit of another store is told even if a beat or an empty claim comes across it first, ${where}`, async (t) => {
    const b = await openSqlite(t, { thread })
    const other = await openSqlite(t, { file: b.file })
    const holder = await b.session({ leaseMs: 3 })
    let told = 0
    b.store.onChange(() => {
      told += 1
    })
    for (let n = 0; n < 20; n += 1) {
      const before = told
      await other.add({ type: 'another.type' })
      await b.claim(holder)
      await until('the commit of the other store is told', () => told > before, 2_000)
    }
  })
}
