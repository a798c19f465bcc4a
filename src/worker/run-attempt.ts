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
  /** Runs the phase at hand of a handler that is not inline; resolves with its result as JSON text. */
  runElsewhere(attempt: Attempt): Promise<string>
  /** Writes a call that does not end the attempt. False: the claim is gone. */
  keep(attempt: Attempt, call: AttemptCall): Promise<boolean>
  /** The attempt ends like this. Its slot is free at once; nothing of it is written after. */
  settle(attempt: Attempt, ending: Ending): void
  /** Somebody else has ended the attempt, and now its handler has come to its end too. */
  handlerEnded(attempt: Attempt): void
}

/** Resolves when the handler has ended, whoever ends the attempt; undefined: it has ended already. What it throws or rejects with is a bug. */
export function runAttempt(attempt: Attempt, runner: AttemptRunner): Promise<void> | undefined {
  let ending: Ending | null | Promise<Ending | null>
  try {
    ending = start(attempt, runner)
  } catch (error) {
    ending = endingAfterError(attempt, error)
  }
  if (!(ending instanceof Promise)) {
    conclude(attempt, runner, ending)
    return undefined
  }
  return ending
    .catch((error: unknown) => endingAfterError(attempt, error))
    .then((reached) => conclude(attempt, runner, reached))
}

function endingAfterError(attempt: Attempt, error: unknown): Ending | null {
  if (attempt.over) return null
  attempt.stoppedBy ??= 'handler'
  return endingOf(attempt, error)
}

function conclude(attempt: Attempt, runner: AttemptRunner, ending: Ending | null): void {
  if (ending === null || attempt.over) runner.handlerEnded(attempt)
  else runner.settle(attempt, ending)
}

/** Null: the attempt is over. */
function start(attempt: Attempt, runner: AttemptRunner): Ending | null | Promise<Ending | null> {
  const mayRun = adoptPhases(attempt, runner)
  if (mayRun !== true) return mayRun.then((may) => (may ? runPhases(attempt, runner) : null))
  if (attempt.phaseNames.length > 1 || attempt.phaseName === null) return runPhases(attempt, runner)
  const result = runPresent(attempt, runner)
  return typeof result === 'string' ? completion(attempt, result) : result.then((text) => completion(attempt, text))
}

/** Null: the attempt is over. */
async function runPhases(attempt: Attempt, runner: AttemptRunner): Promise<Ending | null> {
  while (attempt.phaseName !== null) {
    const result = await runPresent(attempt, runner)
    if (attempt.over) return null
    if (attempt.phase === attempt.phaseNames.length - 1) return completion(attempt, result)
    if (attempt.stop !== null) return stoppedBetween(attempt, result)
    if (!(await runner.keep(attempt, checkpoint(attempt, result)))) return null
    attempt.phaseDone(result)
  }
  return completion(attempt, null)
}

/** The phase at hand, where its handler is to run. */
function runPresent(attempt: Attempt, runner: AttemptRunner): string | Promise<string> {
  return attempt.isInline ? runPhase(attempt, runner.turns) : runner.runElsewhere(attempt)
}

/** A phase has come to its good end although the handler had to stop: its result is kept, and the next phase does not begin. */
function stoppedBetween(attempt: Attempt, result: string): Ending {
  const kept = checkpoint(attempt, result)
  attempt.stoppedBy ??= 'handler'
  attempt.phaseDone(result)
  const ending = endingOf(attempt, attempt.stop?.error)
  return { ...ending, calls: [kept, ...ending.calls] }
}

function endingOf(attempt: Attempt, error: unknown): Ending {
  const { runtime } = attempt.host
  return endingAfter(attempt, { error, now: runtime.now(), random: runtime.random() })
}

/** The job's list of phases follows the handler's. False: the claim is gone. */
function adoptPhases(attempt: Attempt, runner: AttemptRunner): true | Promise<boolean> {
  const { phases } = attempt.handler.definition
  const alignment = alignPhases(attempt.phaseNames, attempt.phase, phases)
  if (alignment.outcome === 'same') return true
  if (alignment.outcome === 'changed') throw phasesChanged(attempt, alignment.phase)
  return adopt(attempt, runner, alignment)
}

async function adopt(
  attempt: Attempt,
  runner: AttemptRunner,
  { names, phase }: { readonly names: readonly string[]; readonly phase: number },
): Promise<boolean> {
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
