/** Runs the function of one phase. */
import { MillraceError } from '../core/errors.ts'
import { decodeJson } from '../core/json.ts'
import { parseWith } from '../core/schema.ts'
import type { Attempt } from './attempt.ts'
import { encodeResult } from './ending.ts'
import { PhaseContext } from './phase-context.ts'
import type { TurnBudget } from './turn-budget.ts'

/**
 * Parses the input, calls the function, and encodes what it returns; the result of the last phase must pass the output's schema too.
 *
 * @returns the result as JSON text
 * @throws what the function throws; InvalidInputError `input-outdated`, `output-invalid`, `json-invalid` or `too-large`
 */
export async function runPhase(attempt: Attempt, turns: TurnBudget): Promise<string> {
  const { job, handler, phase, phaseNames } = attempt
  const { definition } = handler
  const name = attempt.phaseName ?? ''
  const run = handler.functions.get(name)
  if (run === undefined) throw noFunction(job.type, name)
  const input = await parseWith(definition.input, decodeJson(job.input), { path: 'input', code: 'input-outdated' })
  if (turns.spent) await turns.wait()
  if (attempt.stop !== null) throw attempt.stop.error
  const returned = await run(new PhaseContext(attempt, input))
  const isLast = phase === phaseNames.length - 1
  const result = encodeResult(returned, isLast ? 'output' : `result of phase ${name}`)
  if (isLast && definition.output !== undefined) {
    await parseWith(definition.output, decodeJson(result), { path: 'output', code: 'output-invalid' })
  }
  return result
}

function noFunction(type: string, phase: string): MillraceError {
  return new MillraceError('phase-unknown', `The handler of ${type} has no function for the phase "${phase}".`, {
    details: { type, phase },
  })
}
