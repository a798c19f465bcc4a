import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { safeLogger } from '../../src/runtime/safe-logger.ts'

const silent = { info: (): void => {}, warn: (): void => {}, error: (): void => {} }

function fail(): never {
  throw new Error('the disk under the log is full')
}

describe('a safe logger', () => {
  test('hands on what it is told, word for word', () => {
    const lines: unknown[] = []
    const record =
      (level: string) =>
      (...line: readonly unknown[]): void =>
        void lines.push([level, ...line])
    const logger = safeLogger({ info: record('info'), warn: record('warn'), error: record('error') })
    logger.info('a', { b: 1 })
    logger.warn('c')
    logger.error('d', { e: 2 })
    assert.deepEqual(lines, [
      ['info', 'a', { b: 1 }],
      ['warn', 'c', undefined],
      ['error', 'd', { e: 2 }],
    ])
  })

  test('swallows what the logger throws', () => {
    const logger = safeLogger({ info: fail, warn: fail, error: fail })
    logger.info('a')
    logger.warn('b')
    logger.error('c')
  })

  test('wants info unless the logger says no, and asks it each time: its level may be changed while it runs', () => {
    const logger = { ...silent, infoWanted: false }
    const safe = safeLogger(logger)
    assert.equal(safe.infoWanted, false)
    logger.infoWanted = true
    assert.equal(safe.infoWanted, true)
    assert.equal(safeLogger(silent).infoWanted, true)
  })

  test('wants info where the logger throws when it is asked', () => {
    const safe = safeLogger({
      ...silent,
      get infoWanted() {
        return fail()
      },
    })
    assert.equal(safe.infoWanted, true)
  })
})
