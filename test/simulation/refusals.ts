/** Errors of a store that has not carried out what it was asked. */
import { MillraceError } from '../../src/core/errors.ts'
import type { ErrorCode } from '../../src/core/errors.ts'
import type { SeededChoice } from './seeded-choice.ts'

const NEAR_REFUSALS: readonly ErrorCode[] = ['store-busy', 'store-full', 'internal']
const FAR_REFUSALS: readonly ErrorCode[] = ['store-unreachable', 'store-full']

/** `near`: of a store that is a thread of the process. */
export function anyRefusal(choice: SeededChoice, near: boolean, name: string): MillraceError {
  return refusal(choice.pick(near ? NEAR_REFUSALS : FAR_REFUSALS), name)
}

export function refusal(code: ErrorCode, name: string): MillraceError {
  return new MillraceError(code, `The simulated store did not take "${name}".`)
}
