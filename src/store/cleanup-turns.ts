/** The turn to clean up, of which the store keeps the latest. The rules are those of `core`; here is how it is kept. */
import type { CleanupTurn, TurnRequest } from '../core/cleanup-turn.ts'

export interface CleanupTurnStore {
  /** Begins a turn if the rules allow it. The answer is the latest turn: the one that was asked for if it has its key. */
  begin(request: TurnRequest): Promise<CleanupTurn>
  /** A sign of life. False: the turn has ended, or another has begun since it counted as dead. */
  keep(key: number, leaseMs: number): Promise<boolean>
  /** False, and nothing is changed, as with `keep`. The report: JSON text; null: the cleanup did not come to its end. */
  end(key: number, report: string | null): Promise<boolean>
  /** Null: there was none. */
  latest(): Promise<CleanupTurn | null>
}

/** The name under which it is kept. */
export const CLEANUP_TURN = 'cleanup'

export function encodeTurn(turn: CleanupTurn): string {
  return JSON.stringify(turn)
}

export function decodeTurn(content: unknown): CleanupTurn | null {
  if (typeof content !== 'string' || content === '') return null
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nobody but encodeTurn writes it
  return JSON.parse(content) as CleanupTurn
}
