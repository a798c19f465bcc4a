/**
 * One attempt from its claim to its end, phase by phase. Its steps call each other, and there is a promise only where something has to be
 * awaited: of handlers that wait for nothing thousands may be on their way at once, and what is kept for each holds up the event loop.
 */
import { MillraceError } from '../core/errors.ts'
import { alignPhases } from '../core/phases.ts'
import { ADOPT_PHASES } from '../core/plans.ts'
import type { AttemptCall } from './attempt-call.ts'
import type { Attempt } from './attempt.ts'
import { checkpoint, completion, endingAfter } from './ending.ts'
import type { Ending } from './ending.ts'
import { runPhase } from './phase-runner.ts'
import type { TurnBudget } from './turn-budget.ts'

/** What a run asks of the worker's attempts. */
export interface RunHost {
  readonly turns: TurnBudget
  /** Runs the phase at hand of a handler that is not inline; resolves with its result as JSON text. */
  runElsewhere(attempt: Attempt): Promise<string>
  /** Writes a call that does not end the attempt, and tells the run what came of it. */
  keep(run: AttemptRun, call: AttemptCall): void
  /** The attempt ends like this. Its slot is free at once; nothing of it is written after. */
  settle(attempt: Attempt, ending: Ending): void
  /** Somebody else has ended the attempt, and now its handler has come to its end too. */
  handlerEnded(attempt: Attempt): void
  /** There is a bug. */
  broken(attempt: Attempt, error: unknown): void
}

/** It goes on when something has come that is waited for. */
const LATER = Symbol('later')

/** How the attempt ends; null: it is over. */
type Reached = Ending | null | typeof LATER

export class AttemptRun {
  readonly attempt: Attempt
  readonly #host: RunHost

  constructor(attempt: Attempt, host: RunHost) {
    this.attempt = attempt
    this.#host = host
  }

  begin(): void {
    this.#goOn(() => this.#adoptPhases())
  }

  /** What came of the call is known. Not `mayGoOn`: the attempt is over. */
  kept({ result, phaseNames }: AttemptCall, mayGoOn: boolean): void {
    this.#goOn(() => {
      const { attempt } = this
      if (!mayGoOn) return null
      if (phaseNames !== undefined) attempt.phaseNames = phaseNames
      if (result !== undefined) attempt.phaseDone(result)
      return this.#runPhase()
    })
  }

  /** There is a bug on the way to the store. The attempt fails of it, so that the job's limits hold. */
  broken(error: unknown): void {
    this.#threw(error)
  }

  #threw(error: unknown): void {
    this.#goOn(() => {
      throw error
    })
  }

  #goOn(step: () => Reached): void {
    const { attempt } = this
    try {
      const reached = this.#reach(step)
      if (reached === LATER) return
      if (reached === null || attempt.over) this.#host.handlerEnded(attempt)
      else this.#host.settle(attempt, reached)
    } catch (bug) {
      this.#host.broken(attempt, bug)
    }
  }

  #reach(step: () => Reached): Reached {
    try {
      return step()
    } catch (error) {
      return endingAfterError(this.attempt, error)
    }
  }

  /** The job's list of phases follows the handler's. */
  #adoptPhases(): Reached {
    const { attempt } = this
    const alignment = alignPhases(attempt.phaseNames, attempt.phase, attempt.handler.definition.phases)
    if (alignment.outcome === 'same') return this.#runPhase()
    if (alignment.outcome === 'changed') throw phasesChanged(attempt, alignment.phase)
    const { names, phase } = alignment
    return this.#keep({ plan: ADOPT_PHASES, values: { phase }, phaseNames: names })
  }

  /** The phase at hand, where its handler is to run. */
  #runPhase(): Reached {
    const { attempt } = this
    if (attempt.phaseName === null) return completion(attempt, null)
    const { turns } = this.#host
    const result = attempt.isInline
      ? attempt.host.within(() => runPhase(attempt, turns))
      : this.#host.runElsewhere(attempt)
    if (typeof result === 'string') return this.#phaseEnded(result)
    result.then(
      (text) => this.#goOn(() => this.#phaseEnded(text)),
      (error: unknown) => this.#threw(error),
    )
    return LATER
  }

  #phaseEnded(result: string): Reached {
    const { attempt } = this
    if (attempt.over) return null
    if (attempt.phase === attempt.phaseNames.length - 1) return completion(attempt, result)
    if (attempt.stop !== null) return stoppedBetween(attempt, result)
    return this.#keep(checkpoint(attempt, result))
  }

  #keep(call: AttemptCall): typeof LATER {
    this.#host.keep(this, call)
    return LATER
  }
}

function endingAfterError(attempt: Attempt, error: unknown): Ending | null {
  if (attempt.over) return null
  attempt.stoppedBy ??= 'handler'
  return endingOf(attempt, error)
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

function phasesChanged({ job, phaseNames, phase }: Attempt, added: string): MillraceError {
  const done = phaseNames.slice(0, phase)
  return new MillraceError(
    'phases-changed',
    `Job ${job.claim.jobId} has finished ${done.join(', ')}, and its handler now has a new phase "${added}" before that. ` +
      'Retry the job from the start, or put the new phase after those that are done.',
    { details: { jobId: job.claim.jobId, phase: added, done } },
  )
}
