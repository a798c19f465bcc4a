/** Somebody who follows the log from its beginning, and what he was told. */
import assert from 'node:assert/strict'

import type { JobEvent, Millrace } from '../../src/index.ts'
import { assertDense, readLog } from './job-history.ts'
import { within } from './wait-for-event.ts'

export class LogFollower {
  readonly #told: JobEvent[] = []
  readonly #waiting = new Set<{ readonly position: number; readonly resolve: () => void }>()

  /** What he was told, in that order. */
  get events(): readonly JobEvent[] {
    return this.#told
  }

  hear(event: JobEvent): void {
    this.#told.push(event)
    for (const waiting of this.#waiting) {
      if (event.position < waiting.position) continue
      this.#waiting.delete(waiting)
      waiting.resolve()
    }
  }

  /** Fails unless he is told, by and by, what stands in the log: each event once, in its order, and each job's without a gap. */
  async assertHeardAll(mill: Pick<Millrace, 'events'>): Promise<void> {
    const log = await readLog(mill)
    const last = log.at(-1)?.position ?? 0
    await within(`the event at ${last}`, this.#heard(last))
    assert.deepEqual(
      this.#told.slice(0, log.length).map(({ position, jobId, seq, name }) => ({ position, jobId, seq, name })),
      log.map(({ position, jobId, seq, name }) => ({ position, jobId, seq, name })),
    )
    for (const events of Map.groupBy(this.#told, ({ jobId }) => jobId).values()) assertDense(events)
  }

  async #heard(position: number): Promise<void> {
    if ((this.#told.at(-1)?.position ?? 0) >= position) return
    await new Promise<void>((resolve) => {
      this.#waiting.add({ position, resolve })
    })
  }
}

export async function followLog(mill: Pick<Millrace, 'subscribe'>): Promise<LogFollower> {
  const follower = new LogFollower()
  await mill.subscribe((event) => follower.hear(event), { after: 0 })
  return follower
}
