/** How far a job has come, phase by phase, as its events tell it. */
import type { JobEvent, PhaseState } from '../index.ts'

export interface PhaseLine {
  readonly name: string
  readonly state: PhaseState
  /** Of this phase. */
  readonly percent: number
  /** Epoch milliseconds. */
  readonly startedAt: number | null
  readonly finishedAt: number | null
  /** What went wrong in it. */
  readonly error: string | null
}

export function pendingPhases(names: readonly string[]): readonly PhaseLine[] {
  return names.map((name) => ({ name, state: 'pending', percent: 0, startedAt: null, finishedAt: null, error: null }))
}

/** The phases after one more event. Events that tell nothing of phases change nothing. */
export function afterEvent(phases: readonly PhaseLine[], event: JobEvent): readonly PhaseLine[] {
  switch (event.name) {
    case 'job:started':
      return started(phases, event)
    case 'job:progress':
      return progressed(phases, event)
    case 'phase:completed':
      return completed(phases, event)
    case 'job:completed':
      return phases.map((phase) => (phase.state === 'done' ? phase : done(phase, event.at)))
    case 'job:failed':
      return stopped(phases, 'failed', errorOf(event))
    case 'job:retrying':
      return stopped(phases, 'pending', errorOf(event))
    case 'job:cancelled':
      return phases.map((phase) => (phase.state === 'done' ? phase : { ...phase, state: 'cancelled' }))
    case 'job:queued':
      return stopped(phases, 'pending', null)
    case 'job:scheduled':
    case 'job:cancel-requested':
    case 'job:log':
    case 'job:deleted':
    case 'artifact:written':
      return phases
  }
}

function textOf({ detail }: JobEvent, name: string): string | null {
  const told = detail[name]
  return typeof told === 'string' ? told : null
}

/** An attempt begins at a phase: those before it are done, those after it are still to come. */
function started(phases: readonly PhaseLine[], event: JobEvent): readonly PhaseLine[] {
  const first = phases.findIndex(({ name }) => name === textOf(event, 'phase'))
  return phases.map((phase, index) => {
    if (index < first) return { ...phase, state: 'done', percent: 100 }
    return index === first ? running(phase, event.at) : { ...phase, ...PENDING }
  })
}

const PENDING = { state: 'pending', percent: 0, startedAt: null, finishedAt: null, error: null } as const

function running(phase: PhaseLine, at: number): PhaseLine {
  return { ...phase, ...PENDING, state: 'running', startedAt: at }
}

function done(phase: PhaseLine, at: number): PhaseLine {
  return { ...phase, state: 'done', percent: 100, finishedAt: at, error: null }
}

function completed(phases: readonly PhaseLine[], event: JobEvent): readonly PhaseLine[] {
  return phases.map((phase) => {
    if (phase.name === textOf(event, 'phase')) return done(phase, event.at)
    return phase.name === textOf(event, 'next') ? running(phase, event.at) : phase
  })
}

/** Events tell the progress of the whole job, in which each phase counts alike. */
function progressed(phases: readonly PhaseLine[], event: JobEvent): readonly PhaseLine[] {
  const { percent: overall } = event.detail
  const name = textOf(event, 'phase')
  if (typeof overall !== 'number') return phases
  return phases.map((phase, index) => {
    if (phase.name !== name || phase.state !== 'running') return phase
    const percent = overall * phases.length - index * 100
    return { ...phase, percent: Math.min(100, Math.max(phase.percent, percent)) }
  })
}

function stopped(
  phases: readonly PhaseLine[],
  state: 'failed' | 'pending',
  error: string | null,
): readonly PhaseLine[] {
  return phases.map((phase) => (phase.state === 'running' ? { ...phase, state, error } : phase))
}

function errorOf({ detail }: JobEvent): string | null {
  const { error } = detail
  if (typeof error !== 'object' || error === null || Array.isArray(error)) return null
  const message = Object.entries(error).find(([name]) => name === 'message')?.[1]
  return typeof message === 'string' ? message : null
}
