/** What handlers have done, kept by the world itself: whatever the store says, this is what happened. */
import type { ModelJob } from '../support/model-state.ts'
import type { Mark } from './mill-jobs.ts'

interface Done {
  readonly jobId: string
  readonly phase: string
  readonly fence: number
  readonly generation: number
}

export class Ledger {
  readonly #done = new Map<string, number>()

  enter(done: Done): void {
    const key = keyOf(done)
    this.#done.set(key, (this.#done.get(key) ?? 0) + 1)
  }

  /** Whether everything that the store has accepted of a completed job was done, once, by whoever it says; else what is wrong. */
  check({ row, phaseNames, done, output }: ModelJob): string | null {
    const results = phaseNames.length === 1 ? [output] : done.map(({ result }) => result)
    let fence = 0
    for (const [index, result] of results.entries()) {
      const mark = JSON.parse(result ?? 'null') as Mark | null
      const phase = phaseNames[index]
      if (mark === null || mark.phase !== phase) return `phase ${phase} of ${row.id} has the result ${result}`
      if (mark.fence < fence) return `phase ${phase} of ${row.id} was done at ${mark.fence}, after one at ${fence}`
      const times = this.#done.get(keyOf({ jobId: row.id, ...mark })) ?? 0
      if (times !== 1) return `phase ${phase} of ${row.id} was done ${times} times at fence ${mark.fence}`
      fence = mark.fence
    }
    // All phases may be done when the worker dies, and another one writes the completion alone.
    const isOwn = phaseNames.length === 1 ? fence === row.fence : fence <= row.fence
    return isOwn ? null : `${row.id} was completed at fence ${row.fence}, by what was done at ${fence}`
  }
}

function keyOf({ jobId, phase, fence, generation }: Done): string {
  return `${jobId} ${phase} ${fence} ${generation}`
}
