/** The model's types: who works on them, and how that goes. */
import { FINAL_STATES } from '../../src/core/states.ts'
import { ENTITY_NOTE_MS } from '../../src/store/evidence.ts'
import type { EndedRecord, EvidenceQuery, EvidenceRecords } from '../../src/store/evidence.ts'
import type { JobTypeStore } from '../../src/store/job-types.ts'
import { isWaiting } from './model-plans.ts'
import { beat, commit, presentEpoch } from './model-state.ts'
import type { ModelJob, ModelState } from './model-state.ts'

export function modelJobTypes(state: ModelState): JobTypeStore {
  return {
    async register(service, registrations) {
      beat(state)
      for (const { type } of registrations) {
        const owner = state.types.get(type)?.service ?? service
        if (owner === service) continue
        state.refusals.set(`${type} ${service}`, { type, service, refusedAt: state.clock.at })
        return { accepted: false, type, service: owner }
      }
      const registeredAt = state.clock.at
      for (const { type, queue, policy } of registrations) {
        const { ownedSince = null, epoch = 0, transfer = null } = state.types.get(type) ?? {}
        const kept = { ownedSince: ownedSince ?? registeredAt, epoch: Math.max(1, epoch), transfer }
        state.types.set(type, { type, queue, policy, service, registeredAt, ...kept })
      }
      commit(state)
      return { accepted: true, epoch: presentEpoch(state) }
    },
    async transfer({ type, from, to, actor: by, reason }) {
      beat(state)
      const known = state.types.get(type)
      if (known === undefined || known.service !== from) return { accepted: false, service: known?.service ?? null }
      const epoch = presentEpoch(state) + 1
      const transfer = { from, by, reason }
      state.types.set(type, { ...known, service: to, ownedSince: state.clock.at, epoch, transfer })
      state.refusals.delete(`${type} ${to}`)
      commit(state)
      return { accepted: true, epoch }
    },
    async refusals() {
      return [...state.refusals.values()].toSorted(
        (left, right) =>
          right.refusedAt - left.refusedAt ||
          (`${left.type} ${left.service}` < `${right.type} ${right.service}` ? -1 : 1),
      )
    },
    async list() {
      return [...state.types.values()].toSorted((left, right) => (left.type < right.type ? -1 : 1))
    },
    async evidence(query) {
      return evidence(state, query)
    },
    async noteEntities(notes) {
      beat(state)
      const { at } = state.clock
      for (const { jobId, status } of notes) {
        if (status === null) state.entities.delete(jobId)
        else if (state.jobs.has(jobId)) state.entities.set(jobId, { status, notedAt: at })
      }
      for (const [jobId, { notedAt }] of state.entities) {
        if (notedAt <= at - ENTITY_NOTE_MS) state.entities.delete(jobId)
      }
      commit(state)
    },
  }
}

function evidence(state: ModelState, { endedLimit, entityLimit }: EvidenceQuery): EvidenceRecords {
  const jobs = [...state.jobs.values()]
  const over = jobs.filter(({ row }) => row.finishedAt !== null)
  const waiting = [...state.types.keys()].map((type) => [type, waitingOf(state, type)] as const)
  const entities = over.flatMap(({ row, made: { type } }) => {
    const note = state.entities.get(row.id)
    return note === undefined || note.notedAt <= state.clock.at - ENTITY_NOTE_MS
      ? []
      : [{ jobId: row.id, type, endedAt: row.finishedAt ?? 0, status: note.status }]
  })
  return {
    waiting: new Map(waiting),
    ended: [...state.types.keys()].flatMap((type) =>
      FINAL_STATES.flatMap((final) =>
        over
          .filter(({ row, made }) => made.type === type && row.state === final)
          .slice(-endedLimit)
          .map((job) => endedRecord(state, job)),
      ),
    ),
    entities: entities.slice(-entityLimit),
  }
}

function waitingOf({ jobs, clock }: ModelState, type: string): 'none' | 'later' | 'due' {
  const rows = [...jobs.values()].filter(({ made }) => made.type === type).map(({ row }) => row)
  const waiting = rows.filter((row) => row.state === 'queued' || isWaiting(row))
  if (waiting.some(({ state, runAt }) => state === 'queued' || runAt <= clock.at)) return 'due'
  return waiting.length === 0 ? 'none' : 'later'
}

function endedRecord({ sessions }: ModelState, { row, made, output, done, worker }: ModelJob): EndedRecord {
  const { finishedAt, startedAt, attempt, generation } = row
  const endedAt = finishedAt ?? 0
  const result = output ?? done.at(-1)?.result ?? 'null'
  const session = [...sessions.values()].find(({ identity }) => identity === worker)
  return {
    jobId: row.id,
    type: made.type,
    state: row.state as EndedRecord['state'],
    endedAt,
    durationMs: attempt === 1 && generation === 1 && startedAt !== null ? endedAt - startedAt : null,
    hasOutput: row.state === 'completed' && result !== 'null',
    byHand: typeof session?.hand === 'string',
    worker: worker === null ? null : { service: worker.service, host: worker.host, version: session?.version ?? null },
  }
}
