/** Names that stand in URLs, on command lines and in file names, and texts that an application makes up itself. */
import { InvalidInputError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'

const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/
const NAME_EXPECTED =
  `a name of 1 to ${LIMITS.nameCharacters} characters: letters, digits, ".", "_", "-" and ":", ` +
  'the first a letter or a digit'

/**
 * The name of a type, service, queue, phase or label: letters and digits of ASCII, `.`, `_`, `-`, `:`, the first a letter or a digit, 1 to
 * 100 characters.
 *
 * @throws InvalidInputError with the code `name-invalid`
 */
export function checkName(name: unknown, path: string): string {
  if (typeof name === 'string' && name.length <= LIMITS.nameCharacters && NAME.test(name)) return name
  throw new InvalidInputError({ path, expected: NAME_EXPECTED, received: shown(name), code: 'name-invalid' })
}

export interface TextLimit {
  readonly path: string
  readonly maxCharacters: number
}

/**
 * A text that a store keeps as it is: well-formed Unicode without NUL, not empty.
 *
 * @throws InvalidInputError
 */
export function checkText(text: unknown, { path, maxCharacters }: TextLimit): string {
  const expected = `a text of 1 to ${maxCharacters} characters without NUL characters and lone surrogates`
  if (typeof text !== 'string' || text === '') throw new InvalidInputError({ path, expected, received: shown(text) })
  if (text.length > maxCharacters) {
    throw new InvalidInputError({ path, expected, received: `${text.length} characters`, code: 'too-large' })
  }
  if (text.includes('\0') || !text.isWellFormed()) {
    throw new InvalidInputError({ path, expected, received: JSON.stringify(text.slice(0, SHOWN_CHARACTERS)) })
  }
  return text
}

/** A key, tenant, owner or actor. */
export function checkKey(text: unknown, path: string): string {
  return checkText(text, { path, maxCharacters: LIMITS.keyCharacters })
}

/** A tenant; `''` is none. */
export function checkTenant(tenant: unknown, path: string): string {
  return tenant === '' ? tenant : checkKey(tenant, path)
}

const SHOWN_CHARACTERS = 60

/** What was received, for a message: short, and never the whole of what may be a secret or a book. */
export function shown(received: unknown): string {
  if (typeof received === 'string') return JSON.stringify(received.slice(0, SHOWN_CHARACTERS))
  if (typeof received === 'number' || typeof received === 'boolean') return `${received}`
  if (received === null) return 'null'
  return Array.isArray(received) ? 'an array' : typeof received
}
