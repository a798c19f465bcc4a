import { beginTurn, endTurn, keepTurn } from '../core/cleanup-turn.ts'
import type { CleanupTurn, TurnRequest } from '../core/cleanup-turn.ts'
import { CLEANUP_TURN, decodeTurn, encodeTurn } from '../store/cleanup-turns.ts'
import type { Database } from './database.ts'

const LATEST = 'SELECT content FROM millrace_meta WHERE name = ?'
// The transaction holds the write lock, so what was read before it still holds.
const WRITE =
  'INSERT INTO millrace_meta (name, content) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET content = excluded.content'

export function latestCleanupTurn(db: Database): CleanupTurn | null {
  return decodeTurn(db.get(LATEST, CLEANUP_TURN)?.['content'])
}

export function beginCleanupTurn(db: Database, request: TurnRequest): CleanupTurn {
  const latest = latestCleanupTurn(db)
  const turn = beginTurn(latest, request, db.now)
  if (turn !== latest) write(db, turn)
  return turn
}

export function keepCleanupTurn(db: Database, key: number, leaseMs: number): boolean {
  return change(db, (latest) => keepTurn(latest, key, db.now + leaseMs))
}

export function endCleanupTurn(db: Database, key: number, report: string | null): boolean {
  return change(db, (latest) => endTurn(latest, key, report))
}

function change(db: Database, rule: (latest: CleanupTurn | null) => CleanupTurn | null): boolean {
  const turn = rule(latestCleanupTurn(db))
  if (turn !== null) write(db, turn)
  return turn !== null
}

function write(db: Database, turn: CleanupTurn): void {
  db.run(WRITE, CLEANUP_TURN, encodeTurn(turn))
}
