/**
 * Runs the function of one phase. What is there at once is answered at once: a handler that waits for nothing costs no promise, and of jobs
 * that take microseconds there are many.
 */
import { MillraceError } from '../core/errors.ts'
import { decodeJson } from '../core/json.ts'
import type { Json } from '../core/json.ts'
import { parseSoon } from '../core/schema.ts'
import type { Parse } from '../core/schema.ts'
import type { Attempt } from './attempt.ts'
import { encodeResult } from './ending.ts'
import type { Handler, PhaseFunction } from './handler.ts'
import { KNOWN_FOR_MS } from './interruption-watch.ts'
import { PhaseContext } from './phase-context.ts'
import type { TurnBudget } from './turn-budget.ts'

const INPUT: Parse = { path: 'input', code: 'input-outdated' }
const OUTPUT: Parse = { path: 'output', code: 'output-invalid' }

/**
 * Parses the input, calls the function, and encodes what it returns; the result of the last phase must pass the output's schema too. Throws
 * or rejects with what the function throws; MillraceError `input-lost`; InvalidInputError `input-outdated`, `output-invalid`, `json-invalid` or
 * `too-large`.
 *
 * @returns the result as JSON text, or a promise of it
 */
export function runPhase(attempt: Attempt, turns: TurnBudget): string | Promise<string> {
  const { job, handler } = attempt
  const name = attempt.phaseName ?? ''
  const run = handler.functions.get(name)
  if (run === undefined) throw noFunction(job.type, name)
  const input = readInput(handler, job.input)
  const returned =
    isThenable(input) || turns.spent ? callLater(attempt, run, input, turns) : callNow(attempt, run, input)
  return isThenable(returned)
    ? Promise.resolve(returned).then((value) => resultOf(handler, name, isLast(attempt), value))
    : resultOf(handler, name, isLast(attempt), returned)
}

/** The stored input as the definition's schema gives it back, or a promise of it where the schema takes its time. */
export function readInput({ definition }: Handler, text: string): unknown {
  return parseSoon(definition.input, decodeInput(definition.name, text), INPUT)
}

function decodeInput(type: string, text: string): Json {
  try {
    return decodeJson(text)
  } catch (error) {
    const message =
      'The stored input of the job is missing or no JSON: the store was damaged. ' +
      'Retry the job from the start with another input, or restore a backup.'
    throw new MillraceError('input-lost', message, { details: { type }, cause: error })
  }
}

function callNow(attempt: Attempt, run: PhaseFunction, input: unknown): unknown {
  if (attempt.stop !== null) throw attempt.stop.error
  return run(new PhaseContext(attempt, input))
}

async function callLater(attempt: Attempt, run: PhaseFunction, input: unknown, turns: TurnBudget): Promise<unknown> {
  const parsed = await input
  if (turns.spent) await turns.wait()
  // Its answer would come too late where another has blocked the thread meanwhile.
  const isFirst = attempt.phase === attempt.job.phase
  if (isFirst && turns.startedAt - attempt.startedAt >= KNOWN_FOR_MS) attempt.host.lookNow(attempt, KNOWN_FOR_MS)
  return callNow(attempt, run, parsed)
}

function isLast({ phase, phaseNames }: Attempt): boolean {
  return phase === phaseNames.length - 1
}

/** What a phase returned, as JSON text; that of the last one must pass the output's schema. */
export function resultOf(handler: Handler, name: string, last: boolean, returned: unknown): string | Promise<string> {
  const result = encodeResult(returned, last ? 'output' : `result of phase ${name}`)
  const { output } = handler.definition
  if (!last || output === undefined) return result
  const checked = parseSoon(output, decodeJson(result), OUTPUT)
  return isThenable(checked) ? Promise.resolve(checked).then(() => result) : result
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  const mayHaveMembers = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return mayHaveMembers && 'then' in value && typeof value.then === 'function'
}

export function noFunction(type: string, phase: string): MillraceError {
  return new MillraceError('phase-unknown', `The handler of ${type} has no function for the phase "${phase}".`, {
    details: { type, phase },
  })
}
