/** What the rows of a job come to when it is shown whole. */
import { phaseState } from '../core/phases.ts'
import type { AttemptRecord, JobSummary, PhaseRecord, WorkerIdentity } from './jobs.ts'

/** What is known of a phase that is done. */
export interface FinishedPhase {
  readonly generation: number
  readonly attempt: number
  readonly startedAt: number | null
  readonly finishedAt: number | null
  readonly result: string | null
}

export interface PhaseSources {
  readonly ended: readonly AttemptRecord[]
  readonly output: string | null
}

/** The job's phases, from the rows of those that are done, by their places. */
export function phasesOf(
  job: JobSummary,
  rows: ReadonlyMap<number, FinishedPhase>,
  { ended, output }: PhaseSources,
): readonly PhaseRecord[] {
  const { generation, attempt, phaseStartedAt: startedAt, finishedAt } = job
  // The only phase of a job ends with the job, and has no row of its own.
  const last: FinishedPhase = { generation, attempt, startedAt, finishedAt, result: output }
  return job.phaseNames.map((name, index) => {
    const state = phaseState({ jobState: job.state, phase: job.phase, index })
    const done = index < job.phase ? (rows.get(index) ?? last) : null
    const attempts = attemptsIn({ job, name, index, done, ended })
    if (done !== null)
      return { name, state, startedAt: done.startedAt, finishedAt: done.finishedAt, attempts, result: done.result }
    return { name, state, startedAt: index === job.phase ? startedAt : null, finishedAt: null, attempts, result: null }
  })
}

interface AttemptsIn {
  readonly job: JobSummary
  readonly name: string
  readonly index: number
  readonly done: FinishedPhase | null
  readonly ended: readonly AttemptRecord[]
}

/** Attempts of this generation that were cut off in the phase, and the one that finished it or is in it. */
function attemptsIn({ job, name, index, done, ended }: AttemptsIn): number {
  const before = done?.attempt ?? Infinity
  const cutOff = ended.filter(
    ({ generation, attempt, phase }) => generation === job.generation && attempt < before && phase === name,
  )
  const isIn = index === job.phase && job.state === 'running'
  return cutOff.length + (isIn || done?.generation === job.generation ? 1 : 0)
}

/** The attempt that runs or completed has no row of its own: it is the job's. */
export function latestAttempt(
  job: JobSummary,
  ended: readonly AttemptRecord[],
  worker: WorkerIdentity | null,
): readonly AttemptRecord[] {
  if (job.attempt === 0 || job.startedAt === null || ended.some(({ attempt }) => attempt === job.attempt)) return []
  const running = job.state === 'running'
  return [
    {
      attempt: job.attempt,
      generation: job.generation,
      startedAt: job.startedAt,
      endedAt: running ? null : job.finishedAt,
      stoppedAt: running ? null : job.finishedAt,
      stoppedBy: running ? null : 'handler',
      outcome: running ? 'running' : 'completed',
      phase: job.phaseNames[job.phase] ?? job.phaseNames.at(-1) ?? '',
      progress: job.progress,
      error: null,
      worker,
    },
  ]
}
