/** The model keeps the latest turn to clean up. */
import { beginTurn, endTurn, keepTurn } from '../../src/core/cleanup-turn.ts'
import type { CleanupTurn } from '../../src/core/cleanup-turn.ts'
import type { CleanupTurnStore } from '../../src/store/cleanup-turns.ts'
import { beat, commit } from './model-state.ts'
import type { ModelState } from './model-state.ts'

export function modelTurns(state: ModelState): CleanupTurnStore {
  const change = (turn: CleanupTurn | null): boolean => {
    if (turn !== null) state.turns.latest = turn
    commit(state)
    return turn !== null
  }
  return {
    async begin(request) {
      beat(state)
      const turn = beginTurn(state.turns.latest, request, state.clock.at)
      change(turn)
      return turn
    },
    async keep(key, leaseMs) {
      beat(state)
      return change(keepTurn(state.turns.latest, key, state.clock.at + leaseMs))
    },
    async end(key, report) {
      beat(state)
      return change(endTurn(state.turns.latest, key, report))
    },
    async latest() {
      return state.turns.latest
    },
  }
}
