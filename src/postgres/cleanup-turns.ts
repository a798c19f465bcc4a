import { beginTurn, endTurn, keepTurn } from '../core/cleanup-turn.ts'
import type { CleanupTurn, TurnRequest } from '../core/cleanup-turn.ts'
import { CLEANUP_TURN, decodeTurn, encodeTurn } from '../store/cleanup-turns.ts'
import type { Transaction } from './database.ts'
import type { RunRows } from './driver.ts'

const LATEST = 'SELECT content FROM millrace.meta WHERE name = $1'
// The row is locked, and made if it is not there: whoever asks at the same moment waits for the commit, and sees what has become of it.
const LOCK =
  "INSERT INTO millrace.meta AS m (name, content) VALUES ($1, '') ON CONFLICT (name) DO UPDATE SET content = m.content RETURNING content"
const WRITE = 'UPDATE millrace.meta SET content = $2 WHERE name = $1'

export async function latestCleanupTurn(run: RunRows): Promise<CleanupTurn | null> {
  const [row] = await run(LATEST, CLEANUP_TURN)
  return decodeTurn(row?.['content'])
}

export async function beginCleanupTurn(tx: Transaction, request: TurnRequest): Promise<CleanupTurn> {
  const latest = await lock(tx)
  const turn = beginTurn(latest, request, tx.now)
  if (turn !== latest) await write(tx, turn)
  return turn
}

export async function keepCleanupTurn(tx: Transaction, key: number, leaseMs: number): Promise<boolean> {
  return change(tx, (latest) => keepTurn(latest, key, tx.now + leaseMs))
}

export async function endCleanupTurn(tx: Transaction, key: number, report: string | null): Promise<boolean> {
  return change(tx, (latest) => endTurn(latest, key, report))
}

async function change(tx: Transaction, rule: (latest: CleanupTurn | null) => CleanupTurn | null): Promise<boolean> {
  const turn = rule(await lock(tx))
  if (turn !== null) await write(tx, turn)
  return turn !== null
}

async function lock(tx: Transaction): Promise<CleanupTurn | null> {
  const [row] = await tx.rows(LOCK, CLEANUP_TURN)
  return decodeTurn(row?.['content'])
}

async function write(tx: Transaction, turn: CleanupTurn): Promise<void> {
  await tx.rows(WRITE, CLEANUP_TURN, encodeTurn(turn))
}
