/**
 * Waiting for SQLite's one write lock. SQLite's own busy handler sleeps ever longer, so that of two busy writers one starves; here each
 * tries again after a fraction of a millisecond, and a writer that has seen another leaves a gap after its commit for the other to get in.
 */
import { MillraceError } from '../core/errors.ts'
import type { Connection } from './driver.ts'
import { isBusy } from './driver.ts'

const RETRY_MS = 0.25
const GAP_MS = 0.3

/** How long a call waits for the lock in all. */
export const LOCK_PATIENCE_MS = 30_000

const sleeper = new Int32Array(new SharedArrayBuffer(4))

/** Blocks the calling thread. */
export function pauseThread(ms: number): void {
  Atomics.wait(sleeper, 0, 0, ms)
}

export function leaveGap(): void {
  pauseThread(GAP_MS)
}

/** Runs what may find the database locked until it doesn't. Blocks the calling thread. */
export function whenFree<T>(file: string, act: () => T, patienceMs: number = LOCK_PATIENCE_MS): T {
  const tries = Math.max(1, Math.ceil(patienceMs / RETRY_MS))
  for (let tried = 0; tried < tries; tried += 1) {
    try {
      return act()
    } catch (error) {
      if (!isBusy(error)) throw error
      pauseThread(RETRY_MS)
    }
  }
  throw lockedOut(file)
}

function lockedOut(file: string): MillraceError {
  return new MillraceError(
    'store-busy',
    `${file} stayed locked by another process for too long. Look for a transaction that is left open.`,
    { details: { file } },
  )
}

export function beginWrite(connection: Connection, file: string, patienceMs?: number): void {
  whenFree(file, () => connection.exec('BEGIN IMMEDIATE'), patienceMs)
}

/** Some errors (a full disk, for one) have ended the transaction by themselves. */
export function rollBack(connection: Connection): void {
  if (connection.isTransaction) connection.exec('ROLLBACK')
}
