/** What travels between the store and its threads. */
import type { HostCall, HostOptions } from './host.ts'
import { READS, WRITES } from './operations.ts'
import type { CallOutcome, OperationName } from './operations.ts'
import type { LineEnd } from '../runtime/sync-line.ts'
import { packError, unpackError } from './packed-error.ts'
import type { PackedError } from './packed-error.ts'

/** Raised when the messages change, so that a thread's file of another version is noticed. */
export const PROTOCOL = 5

export interface ThreadData extends HostOptions {
  /** For questions that can't wait for a message; null: none are asked. */
  readonly line: LineEnd | null
  readonly protocol: number
}

export interface NumberedCall extends HostCall {
  readonly number: number
}

/**
 * Calls, one behind the other: number, operation by its index, arguments. A list for each, or an object, would take longer to write and
 * to read than what is in it.
 */
type FlatCalls = readonly unknown[]

const CALL_PARTS = 3
const OPERATIONS: readonly OperationName[] = [...Object.keys(WRITES), ...Object.keys(READS)] as OperationName[]
const OPERATION_NUMBERS: ReadonlyMap<string, number> = new Map(OPERATIONS.map((name, number) => [name, number]))

export function flattenCalls(calls: readonly NumberedCall[]): FlatCalls {
  const flat: unknown[] = []
  for (const { number, name, args } of calls) flat.push(number, OPERATION_NUMBERS.get(name), args)
  return flat
}

export function unflattenCalls(flat: FlatCalls): readonly NumberedCall[] {
  const calls: NumberedCall[] = []
  for (let at = 0; at < flat.length; at += CALL_PARTS) {
    const name = OPERATIONS[flat[at + 1] as number]
    if (name === undefined) throw new RangeError(`there is no operation ${String(flat[at + 1])}`)
    calls.push({ number: flat[at] as number, name, args: flat[at + 2] })
  }
  return calls
}

/**
 * What came of calls, one behind the other: the number of a call, how many calls with the numbers from there on it is said of, whether it
 * went well, and the answer or else a PackedError.
 */
type FlatAnswers = readonly unknown[]

const ANSWER_PARTS = 4

export function flattenAnswers(calls: readonly NumberedCall[], outcomes: readonly CallOutcome[]): FlatAnswers {
  const flat: unknown[] = []
  let last = 0
  for (const [index, { number }] of calls.entries()) {
    const outcome = outcomes[index] ?? { answer: undefined }
    const isSame = index > 0 && 'answer' in outcome && flat[last + 3] === outcome.answer && flat[last + 2] === true
    const count = flat[last + 1] as number
    if (isSame && flat[last] === number - count) flat[last + 1] = count + 1
    else {
      last = flat.length
      if ('error' in outcome) flat.push(number, 1, false, packError(outcome.error))
      else flat.push(number, 1, true, outcome.answer)
    }
  }
  return flat
}

export function countAnswers(flat: FlatAnswers): number {
  let count = 0
  for (let at = 0; at < flat.length; at += ANSWER_PARTS) count += flat[at + 1] as number
  return count
}

/** The answers, each with its call's number. */
export function* answersOf(flat: FlatAnswers): Generator<Answered, undefined> {
  for (let at = 0; at < flat.length; at += ANSWER_PARTS) {
    const first = flat[at] as number
    const content = flat[at + 3]
    const outcome = flat[at + 2] === true ? { answer: content } : { error: unpackError(content as PackedError) }
    for (let further = 0; further < (flat[at + 1] as number); further += 1) yield { number: first + further, outcome }
  }
  return undefined
}

export interface Answered {
  readonly number: number
  readonly outcome: CallOutcome
}

export type ToThread =
  | { readonly kind: 'calls'; readonly calls: FlatCalls }
  /** Commit what has come, then touch nothing until `resume`. */
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'close' }

export interface AnswersMessage {
  readonly kind: 'answers'
  readonly answers: FlatAnswers
  readonly changed: boolean
}

export type FromThread =
  | { readonly kind: 'ready'; readonly sqliteVersion: string }
  | { readonly kind: 'refused'; readonly error: PackedError }
  | AnswersMessage
  | { readonly kind: 'paused' }
  | { readonly kind: 'foreign-commit' }
  | { readonly kind: 'session-lost'; readonly holder: number }
  | { readonly kind: 'closed' }
