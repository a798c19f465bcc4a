/** The model looks at itself. Nothing in it is ever lost or misnumbered; jobs alone can be in a state that no plan leads to. */
import { FINAL_EVENTS } from '../../src/core/events.ts'
import { repairJob } from '../../src/core/repair.ts'
import { hiddenFrom } from '../../src/core/scope.ts'
import type { AuditedJob, IntegrityStore } from '../../src/store/integrity.ts'
import { appendEvent, beat, commit } from './model-state.ts'
import type { ModelJob, ModelState } from './model-state.ts'

export function modelIntegrity(state: ModelState): IntegrityStore {
  return {
    async audit({ after, limit }) {
      const all = [...state.jobs.values()].filter(({ n }) => n > Number(after ?? 0))
      const jobs = all.slice(0, limit)
      return { jobs: jobs.map((job) => audited(state, job)), next: jobs.length < limit ? null : `${jobs.at(-1)?.n}` }
    },
    async auditOne(id, scope) {
      const job = state.jobs.get(id)
      return job === undefined ? 'not-found' : (hiddenFrom(scope, job.row) ?? audited(state, job))
    },
    async repairJob(id) {
      beat(state)
      const job = state.jobs.get(id)
      const repair = job === undefined ? null : repairJob(audited(state, job), state.clock.at)
      if (job === undefined || repair === null || repair.fixed.length === 0) return []
      const { row } = repair
      job.row = row
      const { cancelledBy, cancelReason: reason } = row
      const detail = repair.event === 'job:queued' ? { cause: 'repair' } : { cancelledBy, reason }
      if (repair.event !== null) appendEvent(state, job, repair.event, JSON.stringify(detail))
      commit(state)
      return repair.fixed
    },
    async strays() {
      return { strays: [], next: null }
    },
    async dropStrays() {
      return 0
    },
    async faults() {
      return []
    },
    async repairFault() {
      return false
    },
    async artifacts({ after, limit }) {
      const from = Number(after ?? 0)
      const page = state.artifacts.slice(from, from + limit)
      const artifacts = page.map(({ id, jobId, path, sizeBytes, sha256 }) => ({ id, jobId, path, sizeBytes, sha256 }))
      return { artifacts, next: page.length < limit ? null : `${from + limit}` }
    },
  }
}

function audited(state: ModelState, { row, done }: ModelJob): AuditedJob {
  const own = state.events.filter(({ jobId }) => jobId === row.id)
  const finals = own.filter(({ name }) => (FINAL_EVENTS as readonly string[]).includes(name)).length
  return {
    ...row,
    unknown: [],
    missing: [],
    results: done.length,
    events: { count: own.length, lastSeq: own.at(-1)?.seq ?? 0, finals: finals - (row.generation - 1) },
  }
}
