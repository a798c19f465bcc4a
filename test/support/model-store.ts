/**
 * The port over Maps: no durability, no concurrency, no SQL, and so simple enough to be believed. It interprets the same plans that a real
 * store compiles, and is the oracle of the store contract.
 */
import { canSee, canTouch } from '../../src/core/scope.ts'
import type { Scope } from '../../src/core/scope.ts'
import type { ArtifactStore } from '../../src/store/artifacts.ts'
import { auditPage, auditPlace } from '../../src/store/audit.ts'
import type { AuditStore } from '../../src/store/audit.ts'
import type { EventStore } from '../../src/store/events.ts'
import type { QueueStore } from '../../src/store/queues.ts'
import type { SessionStore } from '../../src/store/sessions.ts'
import type { Store } from '../../src/store/store.ts'
import { modelBytes } from './model-bytes.ts'
import { modelClaims } from './model-claims.ts'
import { holderOf } from './model-locks.ts'
import { modelIntegrity } from './model-integrity.ts'
import { modelJobs } from './model-jobs.ts'
import { modelRetention } from './model-retention.ts'
import type { NewJob } from '../../src/store/jobs.ts'
import { beat, commit, emptyModel, presentEpoch } from './model-state.ts'
import type { Defect, ModelState } from './model-state.ts'
import { modelTurns } from './model-turns.ts'
import { modelJobTypes } from './model-types.ts'

export interface ModelStore {
  readonly store: Store
  /** Moves the clock, never back. */
  advance(ms: number): void
  /** Another store over the same jobs, as another process would open one. */
  another(): ModelStore
  /** Beats for the sessions that were opened here, where it is time to. */
  beat(): void
  /** All that it holds, to look at. */
  readonly state: ModelState
}

export function openModelStore(planted: Defect = (plan) => plan): ModelStore {
  return storeOver(emptyModel(planted))
}

function storeOver(state: ModelState): ModelStore {
  const jobs = modelJobs(state)
  const onEnqueue = new Set<(added: readonly NewJob[]) => void>()
  const store: Store = {
    jobs: {
      ...jobs,
      enqueue(added) {
        const enqueued = jobs.enqueue(added)
        for (const listener of onEnqueue) listener(added)
        return enqueued
      },
    },
    claims: modelClaims(state),
    sessions: modelSessions(state),
    jobTypes: modelJobTypes(state),
    queues: modelQueues(state),
    events: modelEvents(state),
    artifacts: modelArtifacts(state),
    audit: modelAudit(state),
    retention: modelRetention(state),
    cleanupTurns: modelTurns(state),
    integrity: modelIntegrity(state),
    transactions: {
      enqueue: () => Promise.reject(new RangeError('the model has no connections')),
      run: () => Promise.reject(new RangeError('the model has no connections')),
    },
    async now() {
      return state.clock.at
    },
    onChange(listener) {
      const own = (): void => listener()
      state.listeners.add(own)
      return () => state.listeners.delete(own)
    },
    onEnqueue(listener) {
      onEnqueue.add(listener)
      return () => onEnqueue.delete(listener)
    },
    description: 'model',
    async close() {
      state.listeners.clear()
      onEnqueue.clear()
    },
  }
  return {
    store,
    advance(ms) {
      state.clock.at += ms
    },
    another: () => storeOver({ ...state, kept: new Set() }),
    beat: () => beat(state),
    state,
  }
}

function modelSessions(state: ModelState): SessionStore {
  return {
    async open({ holder, service, host, pid, leaseMs, concurrency, types = [], version = null, ...rest }, onLost) {
      beat(state)
      const startedAt = state.clock.at
      state.sessions.set(holder, {
        holder,
        identity: { service, host, pid },
        concurrency,
        leaseMs,
        process: rest.process ?? null,
        types,
        version,
        epoch: rest.epoch ?? presentEpoch(state),
        startedAt,
        beatAt: startedAt,
        expiresAt: startedAt + leaseMs,
        onLost,
        hand: null,
        drainingSince: null,
        endedAt: null,
      })
      state.kept.add(holder)
      commit(state)
    },
    async drain(holder) {
      beat(state)
      const session = state.sessions.get(holder)
      if (session !== undefined && session.endedAt === null) session.drainingSince ??= state.clock.at
      commit(state)
    },
    async end(holder) {
      state.kept.delete(holder)
      beat(state)
      const session = state.sessions.get(holder)
      if (session !== undefined) session.endedAt ??= state.clock.at
      commit(state)
    },
    async abandon(holder) {
      state.kept.delete(holder)
      beat(state)
    },
    async ofProcesses({ bootId, namespaces, host }) {
      const open = [...state.sessions.values()].filter(({ endedAt }) => endedAt === null)
      return open.flatMap(({ holder, identity, process }) => {
        const same = process?.bootId === bootId && process.namespaces === namespaces && identity.host === host
        return same ? [{ holder, pid: identity.pid, startTick: process.startTick }] : []
      })
    },
    async holder(holder) {
      return holderOf(state, holder)
    },
    async list() {
      const workers = [...state.sessions.values()].filter(({ hand }) => hand === null)
      return workers.map(
        ({ hand: _hand, holder, identity, leaseMs: _leaseMs, onLost: _onLost, process: _process, ...session }) => ({
          ...identity,
          ...session,
          blockedSince: null,
          running: [...state.jobs.values()].filter(({ row }) => row.holder === holder).length,
        }),
      )
    },
  }
}

function modelQueues(state: ModelState): QueueStore {
  return {
    async pause(name, actor) {
      beat(state)
      if ((state.queues.get(name)?.pausedAt ?? null) !== null) return false
      state.queues.set(name, {
        name,
        pausedAt: state.clock.at,
        pausedBy: actor,
        resumedAt: null,
        resumedBy: null,
      })
      commit(state)
      return true
    },
    async resume(name, actor) {
      beat(state)
      if ((state.queues.get(name)?.pausedAt ?? null) === null) return false
      state.queues.set(name, {
        name,
        pausedAt: null,
        pausedBy: null,
        resumedAt: state.clock.at,
        resumedBy: actor,
      })
      commit(state)
      return true
    },
    async list() {
      return [...state.queues.values()].toSorted((left, right) => (left.name < right.name ? -1 : 1))
    },
  }
}

function modelEvents(state: ModelState): EventStore {
  return {
    async read({ scope, after, limit, jobId }) {
      return state.events
        .filter((event) => event.position > after && (jobId === null || event.jobId === jobId))
        .filter((event) => isVisible(state, event.jobId, scope))
        .slice(0, limit)
    },
    async latest() {
      return state.log.latest
    },
  }
}

function isVisible(state: ModelState, jobId: string, scope: Scope): boolean {
  const job = state.jobs.get(jobId) ?? state.gone.get(jobId)
  return job !== undefined && canTouch(scope, job.row)
}

function modelArtifacts(state: ModelState): ArtifactStore {
  const hidden = (jobId: string, scope: Scope): 'not-found' | 'forbidden' | null => {
    const job = state.jobs.get(jobId)
    if (job === undefined || !canSee(scope, job.row)) return 'not-found'
    return canTouch(scope, job.row) ? null : 'forbidden'
  }
  return {
    async list(jobId, scope) {
      const generation = state.jobs.get(jobId)?.row.generation
      return (
        hidden(jobId, scope) ??
        state.artifacts.filter((artifact) => artifact.jobId === jobId && artifact.generation === generation)
      )
    },
    async get(id, scope) {
      const artifact = state.artifacts.find((known) => known.id === id)
      return artifact === undefined ? 'not-found' : (hidden(artifact.jobId, scope) ?? artifact)
    },
    bytes: modelBytes(state.bytes),
  }
}

function modelAudit(state: ModelState): AuditStore {
  return {
    async list({ scope, jobId, limit, after }) {
      const place = auditPlace(after)
      if (place === null || scope.role === 'member') return { records: [], next: null }
      const records = state.audit
        .filter((record) => scope.role === 'operator' || record.tenant === scope.tenant)
        .filter((record) => jobId === null || record.jobId === jobId)
        .filter(({ at, id }) => at < place.at || (at === place.at && id < place.id))
        .toSorted((one, other) => other.at - one.at || (one.id < other.id ? 1 : -1))
      return auditPage(records.slice(0, limit + 1), limit)
    },
  }
}
