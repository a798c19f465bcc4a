import { InvalidInputError } from './errors.ts'

export interface EncodeJson {
  /** Where the value stands, for the message: `'input'` gives `input.pages[3].body`. */
  readonly path: string
  /** The most that the text may take, in bytes of UTF-8. */
  readonly limitBytes: number
}

/** How deeply arrays and objects may be nested. */
export const MAX_JSON_DEPTH = 200

/**
 * The JSON text of a value that `decodeJson` gives back unchanged: what a handler sees does not depend on whether the process was
 * restarted in between. So whatever JSON would silently change is refused: dates, maps, sets, class instances, bytes, functions, symbols,
 * bigints, NaN, Infinity, `undefined` as an element of an array or as the whole value, cycles, and nesting deeper than 200. NUL characters
 * and lone surrogates are refused because not every store can keep them, a key `__proto__` because it is an attack or an accident.
 * A property that is `undefined` is left out, as JSON does, and -0 becomes 0. A getter is read twice.
 *
 * @throws InvalidInputError with the exact path; its code is `too-large` if the text is larger than `limitBytes`, else `json-invalid`
 */
export function encodeJson(value: unknown, { path, limitBytes }: EncodeJson): string {
  const walk: Walk = { ancestors: [], leastBytes: 0, limitBytes }
  const problem = findProblem(value, walk)
  if (problem !== undefined) throw refusal(problem, path)
  if (walk.leastBytes > limitBytes) throw tooLarge(path, limitBytes)
  const text = JSON.stringify(value)
  if (isLarger(text, limitBytes)) throw tooLarge(path, limitBytes)
  return text
}

interface Walk {
  readonly ancestors: object[]
  /** The text takes at least this many bytes. Once it is over the limit the walk ends, however often parts are shared. */
  leastBytes: number
  readonly limitBytes: number
}

interface Problem {
  /** From the offending value outwards: the happy path builds no paths. */
  readonly steps: (string | number)[]
  readonly expected: string
  readonly received: string
}

function problemWith(received: string, expected: string = 'a JSON value'): Problem {
  return { steps: [], expected, received }
}

function findProblem(value: unknown, walk: Walk): Problem | undefined {
  walk.leastBytes += 1
  switch (typeof value) {
    case 'string':
      walk.leastBytes += value.length
      return textProblem(value)
    case 'number':
      return Number.isFinite(value) ? undefined : problemWith(`${value}`, 'a finite number')
    case 'boolean':
      return undefined
    case 'object':
      return value === null ? undefined : containerProblem(value, walk)
    case 'bigint':
      return problemWith('a bigint', 'a JSON value; a large number can be kept as a string')
    case 'undefined':
      return problemWith('undefined', 'a JSON value; null says that there is none')
    case 'function':
    case 'symbol':
    default:
      return problemWith(`a ${typeof value}`)
  }
}

function textProblem(text: string): Problem | undefined {
  if (text.includes('\0')) return problemWith('a NUL character', 'text without NUL characters')
  return text.isWellFormed() ? undefined : problemWith('a lone surrogate', 'well-formed Unicode text')
}

function containerProblem(value: object, walk: Walk): Problem | undefined {
  if (walk.ancestors.includes(value)) return problemWith('a cycle', 'a value that does not contain itself')
  if (walk.ancestors.length >= MAX_JSON_DEPTH)
    return problemWith('a deeper one', `nesting of at most ${MAX_JSON_DEPTH} levels`)
  walk.ancestors.push(value)
  const problem = Array.isArray(value) ? arrayProblem(value, walk) : objectProblem(value, walk)
  walk.ancestors.pop()
  return problem
}

function arrayProblem(elements: readonly unknown[], walk: Walk): Problem | undefined {
  for (let index = 0; index < elements.length && walk.leastBytes <= walk.limitBytes; index += 1) {
    const problem = findProblem(elements[index], walk)
    if (problem !== undefined) return within(index, problem)
  }
  return undefined
}

function objectProblem(value: object, walk: Walk): Problem | undefined {
  if (!isPlain(value)) return instanceProblem(value)
  for (const key of Object.keys(value)) {
    if (walk.leastBytes > walk.limitBytes) return undefined
    const property = value[key]
    if (property === undefined) continue
    walk.leastBytes += key.length
    const problem = keyProblem(key) ?? findProblem(property, walk)
    if (problem !== undefined) return within(key, problem)
  }
  return undefined
}

function keyProblem(key: string): Problem | undefined {
  if (key === '__proto__') return problemWith('the key __proto__', 'a key of another name')
  return textProblem(key)
}

/** An object of another realm has a prototype that is not ours but that likewise inherits from nothing. */
function isPlain(value: object): value is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === null || prototype === Object.prototype) return true
  return (
    typeof prototype === 'object' &&
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype, 'isPrototypeOf')
  )
}

function instanceProblem(value: object): Problem {
  const name = className(value)
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    return problemWith(`bytes (${name})`, 'a JSON value; files are artifacts: write the bytes as one')
  }
  return problemWith(
    `an instance of ${name}`,
    `a plain object, array or other JSON value${INSTANCE_HINTS.get(name) ?? ''}`,
  )
}

const INSTANCE_HINTS: ReadonlyMap<string, string> = new Map([
  ['Date', '; a date can be kept as its toISOString()'],
  ['Map', '; a map can be kept as Object.fromEntries(map)'],
  ['Set', '; a set can be kept as an array'],
  ['Promise', '; a promise must be awaited first'],
])

function className(value: object): string {
  const constructor: unknown = value.constructor
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'a class'
}

function within(step: string | number, problem: Problem): Problem {
  problem.steps.push(step)
  return problem
}

const PLAIN_KEY = /^[A-Za-z_$][\w$]{0,99}$/
const SHOWN_KEY_CHARACTERS = 100

function refusal({ steps, expected, received }: Problem, path: string): InvalidInputError {
  const trail = steps.toReversed().map(shownStep).join('')
  return new InvalidInputError({ path: `${path}${trail}`, expected, received, code: 'json-invalid' })
}

function shownStep(step: string | number): string {
  if (typeof step === 'number') return `[${step}]`
  if (PLAIN_KEY.test(step)) return `.${step}`
  return `[${JSON.stringify(step.slice(0, SHOWN_KEY_CHARACTERS))}]`
}

function tooLarge(path: string, limitBytes: number): InvalidInputError {
  return new InvalidInputError({
    path,
    expected: `at most ${limitBytes} bytes of JSON; larger things are kept as artifacts or elsewhere, with a reference here`,
    received: 'more',
    code: 'too-large',
  })
}

function isLarger(text: string, limitBytes: number): boolean {
  if (text.length > limitBytes) return true
  return text.length * 3 > limitBytes && utf8Bytes(text) > limitBytes
}

/** A surrogate pair is two units of two bytes each here, which makes its four. */
function utf8Bytes(text: string): number {
  let bytes = 0
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    if (unit < 0x80) bytes += 1
    else if (unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff)) bytes += 2
    else bytes += 3
  }
  return bytes
}
