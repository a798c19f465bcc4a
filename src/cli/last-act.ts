/** Who put a job back into the queue. */
import type { Job, JobEvent, Millrace } from '../index.ts'
import { formatAge } from './moments.ts'
import { printable } from './printable.ts'

/** The acts of people that queue a job, as the log names them. */
const ACTS: ReadonlyMap<unknown, string> = new Map([
  ['retry', 'retried'],
  ['run-now', 'run now'],
  ['force-reset', 'reset by force'],
])
const PAGE = 500

/** What a person did last to have a job run; null: nobody did, or the log does not tell any more. */
export async function findLastAct(mill: Millrace, { id }: Pick<Job<undefined>, 'id'>): Promise<JobEvent | null> {
  let last: JobEvent | null = null
  for (let after = 0; ;) {
    const events = await mill.events({ job: id, after, limit: PAGE })
    last = events.findLast(({ name, detail }) => name === 'job:queued' && ACTS.has(detail['cause'])) ?? last
    const end = events.at(-1)
    if (end === undefined || events.length < PAGE) return last
    after = end.position
  }
}

export function actText({ at, detail: { cause, actor, reason } }: JobEvent, now: number): string {
  const why = typeof reason === 'string' ? `: ${printable(reason)}` : ''
  return `${ACTS.get(cause) ?? 'queued'} by ${printable(typeof actor === 'string' ? actor : 'system')} ${formatAge(at, now)}${why}`
}
