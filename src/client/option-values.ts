/** What an option may be. Each check gives the value back, or throws an InvalidInputError that names where the option stands. */
import { InvalidInputError } from '../core/errors.ts'
import { shown } from './names.ts'

/** The options of a call, every one of them named: a key that is misspelt or of another version is refused, not passed over. */
export function checkOptions<Options extends object>(
  options: Options,
  known: Readonly<Record<keyof Options, true>>,
  path: string,
): Options {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidInputError({ path, expected: 'an object', received: shown(options) })
  }
  const stranger = Object.keys(options).find((name) => !Object.hasOwn(known, name))
  if (stranger === undefined) return options
  const names = Object.keys(known).join(', ')
  throw new InvalidInputError({ path: `${path}.${stranger}`, expected: `one of the options ${names}` })
}

export interface Range {
  readonly path: string
  readonly least: number
  readonly most: number
}

/** A whole number in a range, both ends included. */
export function checkWhole(number: unknown, { path, least, most }: Range): number {
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= least && number <= most) return number
  throw new InvalidInputError({ path, expected: `a whole number from ${least} to ${most}`, received: shown(number) })
}

/** Any number in a range, both ends included. */
export function checkNumber(number: unknown, { path, least, most }: Range): number {
  if (typeof number === 'number' && number >= least && number <= most) return number
  throw new InvalidInputError({ path, expected: `a number from ${least} to ${most}`, received: shown(number) })
}

/** One of a closed set of words. */
export function checkChoice<const Choice extends string>(
  word: unknown,
  choices: readonly Choice[],
  path: string,
): Choice {
  const found = choices.find((choice) => choice === word)
  if (found !== undefined) return found
  throw new InvalidInputError({ path, expected: `one of ${choices.join(', ')}`, received: shown(word) })
}

export function checkBoolean(flag: unknown, path: string): boolean {
  if (typeof flag === 'boolean') return flag
  throw new InvalidInputError({ path, expected: 'true or false', received: shown(flag) })
}

/** A list, whatever is in it. */
export function checkList<Item>(list: readonly Item[], path: string, expected: string = 'a list'): readonly Item[] {
  const given: unknown = list
  if (Array.isArray(given)) return list
  throw new InvalidInputError({ path, expected, received: shown(given) })
}

export function checkFunction<Given>(given: Given, path: string): Given {
  if (typeof given === 'function') return given
  throw new InvalidInputError({ path, expected: 'a function', received: shown(given) })
}
