/** The model deletes what is over. */
import { DEFAULTS } from '../../src/core/limits.ts'
import type { FinishedJob, Purged, RetentionStore, SweptUp } from '../../src/store/retention.ts'
import { beat, commit } from './model-state.ts'
import type { ModelJob, ModelState } from './model-state.ts'

export function modelRetention(state: ModelState): RetentionStore {
  return {
    async finished({ type, state: wanted, from, until, after, limit }) {
      const all = [...state.jobs.values()].filter(
        ({ row, made }) =>
          made.type === type && row.state === wanted && (until === null || (row.finishedAt ?? 0) <= until),
      )
      const ordered = from === 'oldest' ? all : all.toReversed()
      const start = after === null ? 0 : ordered.findIndex(({ row }) => row.id === after) + 1
      const page = ordered.slice(start, start + limit)
      return { jobs: page.map(finishedJob), next: page.length < limit ? null : (page.at(-1)?.row.id ?? null) }
    },
    async purge(jobs) {
      beat(state)
      const purged = purge(state, jobs)
      commit(state)
      return purged
    },
    async sweepUp(options) {
      beat(state)
      const swept = sweepUp(state, options)
      commit(state)
      return swept
    },
    async artifactPaths(ids) {
      return new Map(state.artifacts.filter(({ id }) => ids.includes(id)).map(({ id, path }) => [id, path]))
    },
  }
}

function finishedJob({ row }: ModelJob): FinishedJob {
  return { id: row.id, finishedAt: row.finishedAt ?? 0, eventSeq: row.eventSeq }
}

function purge(state: ModelState, jobs: readonly Pick<FinishedJob, 'id' | 'finishedAt'>[]): Purged {
  const purged: string[] = []
  const paths: string[] = []
  for (const { id, finishedAt } of jobs) {
    const job = state.jobs.get(id)
    if (job === undefined || job.row.finishedAt !== finishedAt) continue
    state.jobs.delete(id)
    state.entities.delete(id)
    state.gone.set(id, { row: job.row, made: job.made, heldUntil: job.row.createdAt + DEFAULTS.keyHoldMs })
    keepOnly(state.events, ({ jobId }) => jobId !== id)
    const own = keepOnly(state.artifacts, ({ jobId }) => jobId !== id)
    paths.push(...own.map(({ path }) => path))
    state.log.latest += 1
    state.events.push({
      position: state.log.latest,
      jobId: id,
      type: job.made.type,
      seq: job.row.eventSeq + 1,
      name: 'job:deleted',
      at: state.clock.at,
      attempt: job.row.attempt,
      detail: JSON.stringify({ deletedJobId: id }),
      tenant: job.row.tenant,
      owner: job.row.owner,
    })
    purged.push(id)
  }
  return { jobs: purged, paths }
}

function sweepUp(state: ModelState, options: Parameters<RetentionStore['sweepUp']>[0]): SweptUp {
  const { at } = state.clock
  const overdue = state.artifacts
    .filter(({ expiresAt }) => expiresAt !== null && expiresAt <= at)
    .toSorted((left, right) => (left.expiresAt ?? 0) - (right.expiresAt ?? 0))
  const due = new Set(overdue.slice(0, options.limit))
  const expired = keepOnly(state.artifacts, (artifact) => !due.has(artifact))
  const told = keepOnly(
    state.events,
    ({ name, at: toldAt }) => name !== 'job:deleted' || toldAt > at - options.eventsMs,
  )
  const oldest = Math.min(...[...state.jobs.values()].map(({ row }) => row.createdAt))
  let sessions = 0
  for (const { holder, endedAt } of state.sessions.values()) {
    if (endedAt === null || endedAt > at - options.sessionsMs || endedAt >= oldest) continue
    state.sessions.delete(holder)
    sessions += 1
  }
  return {
    deletedEvents: told.length,
    sessions,
    artifacts: expired.length,
    paths: expired.map(({ path }) => path),
  }
}

/** Takes the others out of the list, and answers them. */
function keepOnly<Item>(list: Item[], stays: (item: Item) => boolean): readonly Item[] {
  const [kept, taken] = [list.filter((item) => stays(item)), list.filter((item) => !stays(item))]
  list.splice(0, list.length, ...kept)
  return taken
}
