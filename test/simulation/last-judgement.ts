/** What must hold when nothing has gone wrong for long enough. */
import { isFinal } from '../../src/core/states.ts'
import type { ModelState } from '../support/model-state.ts'
import type { Scene } from './process-life.ts'
import { describe } from './referee.ts'

/** Whether every job is over, or there is a reason to be told why it waits. */
export function judgeStandstill(state: ModelState): boolean {
  for (const { row, made } of state.jobs.values()) {
    const isPaused = (state.queues.get(made.queue)?.pausedAt ?? null) !== null
    if (!isFinal(row.state) && !(row.state === 'queued' && isPaused)) return false
  }
  return true
}

export function judgeEnd({ model, referee, ledger }: Scene, acknowledged: ReadonlySet<string>): void {
  const { state } = model
  for (const id of acknowledged) {
    if (!state.jobs.has(id) && !state.gone.has(id)) referee.accuse('an acknowledged job is there, or was deleted', id)
  }
  for (const job of state.jobs.values()) {
    const { row, ended } = job
    if (row.holder !== null) referee.accuse('in the end nobody holds a job', describe(row))
    const wrong = row.state === 'completed' ? ledger.check(job) : null
    if (wrong !== null) referee.accuse('what was accepted was done, once', wrong)
    const attempts = ended.length + (row.state === 'completed' ? 1 : 0)
    if (attempts !== row.attempt) {
      referee.accuse('every attempt is accounted for', `${describe(row)} has ${attempts} of ${row.attempt}`)
    }
  }
}
