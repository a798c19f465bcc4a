/** One attempt from its claim to its end, phase by phase. */
import { MillraceError } from '../core/errors.ts'
import { alignPhases } from '../core/phases.ts'
import { ADOPT_PHASES } from '../core/plans.ts'
import type { AttemptCall } from './attempt-call.ts'
import type { Attempt } from './attempt.ts'
import { checkpoint, completion, endingAfter } from './ending.ts'
import type { Ending } from './ending.ts'
import { runPhase } from './phase-runner.ts'
import type { TurnBudget } from './turn-budget.ts'

export interface AttemptRunner {
  readonly turns: TurnBudget
  /** Writes a call that does not end the attempt. False: the claim is gone. */
  keep(attempt: Attempt, call: AttemptCall): Promise<boolean>
  /** The attempt ends like this. Its slot is free at once; nothing of it is written after. */
  settle(attempt: Attempt, ending: Ending): void
  /** Somebody else has ended the attempt, and now its handler has come to its end too. */
  handlerEnded(attempt: Attempt): void
}

/** Resolves when the handler has ended, whoever ends the attempt. Never rejects. */
export async function runAttempt(attempt: Attempt, runner: AttemptRunner): Promise<void> {
  let ending: Ending | null
  try {
    ending = await runPhases(attempt, runner)
  } catch (error) {
    ending = attempt.over ? null : endingOf(attempt, error)
  }
  if (ending === null || attempt.over) runner.handlerEnded(attempt)
  else runner.settle(attempt, ending)
}

/** Null: the attempt is over. */
async function runPhases(attempt: Attempt, runner: AttemptRunner): Promise<Ending | null> {
  if (!(await adoptPhases(attempt, runner))) return null
  while (attempt.phaseName !== null) {
    const result = await runPhase(attempt, runner.turns)
    if (attempt.over) return null
    if (attempt.phase === attempt.phaseNames.length - 1) return completion(attempt, result)
    if (attempt.stop !== null) return stoppedBetween(attempt, result)
    if (!(await runner.keep(attempt, checkpoint(attempt, result)))) return null
    attempt.phaseDone(result)
  }
  return completion(attempt, null)
}

/** A phase has come to its good end although the handler had to stop: its result is kept, and the next phase does not begin. */
function stoppedBetween(attempt: Attempt, result: string): Ending {
  const kept = checkpoint(attempt, result)
  attempt.phaseDone(result)
  const ending = endingOf(attempt, attempt.stop?.error)
  return { ...ending, calls: [kept, ...ending.calls] }
}

function endingOf(attempt: Attempt, error: unknown): Ending {
  const { runtime } = attempt.host
  return endingAfter(attempt, { error, now: runtime.now(), random: runtime.random() })
}

/** The job's list of phases follows the handler's. False: the claim is gone. */
async function adoptPhases(attempt: Attempt, runner: AttemptRunner): Promise<boolean> {
  const { phases } = attempt.handler.definition
  const alignment = alignPhases(attempt.phaseNames, attempt.phase, phases)
  if (alignment.outcome === 'same') return true
  if (alignment.outcome === 'changed') throw phasesChanged(attempt, alignment.phase)
  const { names, phase } = alignment
  if (!(await runner.keep(attempt, { plan: ADOPT_PHASES, values: { phase }, phaseNames: names }))) return false
  attempt.phaseNames = names
  return true
}

function phasesChanged({ job, phaseNames, phase }: Attempt, added: string): MillraceError {
  const done = phaseNames.slice(0, phase)
  return new MillraceError(
    'phases-changed',
    `Job ${job.claim.jobId} has finished ${done.join(', ')}, and its handler now has a new phase "${added}" before that. ` +
      'Retry the job from the start, or put the new phase after those that are done.',
    { details: { jobId: job.claim.jobId, phase: added, done } },
  )
}
