/**
 * Reading errors that nobody vouches for: a getter may throw, a proxy may lie, a cause may be its own cause. Nothing here throws, and
 * everything is bounded.
 */
import type { Judgement } from './judgement.ts'

/** An error with what it names as its causes. */
export interface ErrorTree {
  readonly error: unknown
  readonly cause: ErrorTree | undefined
  /** The `errors` of an AggregateError, and of whatever else has such a list. */
  readonly members: readonly ErrorTree[]
}

const MAX_DEPTH = 16
const MAX_ERRORS = 64
const MAX_MEMBERS = 32
const MAX_CLASSES = 8
const NAME_CHARACTERS = 200
const TEXT_CHARACTERS = 10_000

export function readErrorTree(error: unknown): ErrorTree {
  return readTree(error, { seen: new Set(), errors: 0 }, 1)
}

interface Reading {
  readonly seen: Set<unknown>
  errors: number
}

function readTree(error: unknown, reading: Reading, depth: number): ErrorTree {
  reading.seen.add(error)
  reading.errors += 1
  const read = (next: unknown): ErrorTree | undefined => {
    const skipped = next === undefined || next === null || reading.seen.has(next)
    return skipped || depth >= MAX_DEPTH || reading.errors >= MAX_ERRORS
      ? undefined
      : readTree(next, reading, depth + 1)
  }
  const cause = read(readField(error, 'cause'))
  const members = readList(readField(error, 'errors'), MAX_MEMBERS).map(read)
  return { error, cause, members: members.filter((member) => member !== undefined) }
}

/**
 * The first judgement from the outside in: the error's own, else that of its cause, else that of its members, among which a retryable one
 * counts before a fatal one, since another try may go well for it.
 */
export function judgeTree(tree: ErrorTree, judge: (error: unknown) => Judgement | undefined): Judgement | undefined {
  const nearer = judge(tree.error) ?? (tree.cause && judgeTree(tree.cause, judge))
  if (nearer !== undefined) return nearer
  const judgements = tree.members
    .map((member) => judgeTree(member, judge))
    .filter((judgement) => judgement !== undefined)
  return judgements.find((judgement) => !judgement.fatal) ?? judgements[0]
}

/** Every error of the tree, from the outside in. */
export function listErrors(tree: ErrorTree): readonly unknown[] {
  const inner = tree.cause === undefined ? tree.members : [tree.cause, ...tree.members]
  return [tree.error, ...inner.flatMap(listErrors)]
}

export function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

export function readField(source: unknown, field: string): unknown {
  if ((typeof source !== 'object' && typeof source !== 'function') || source === null) return undefined
  return attempt<unknown>(() => Reflect.get(source, field))
}

/** The first elements of an array; empty for anything else. */
export function readList(source: unknown, limit: number): readonly unknown[] {
  return attempt<readonly unknown[]>(() => (Array.isArray(source) ? source.slice(0, limit) : [])) ?? []
}

/** The error's own `name`, then the names of its classes up to but not including Error. */
export function readNames(error: unknown): readonly string[] {
  const names: unknown[] = [readField(error, 'name')]
  let prototype = prototypeOf(error)
  for (let depth = 0; depth < MAX_CLASSES && prototype !== undefined; depth += 1) {
    names.push(readField(readField(prototype, 'constructor'), 'name'))
    prototype = prototypeOf(prototype)
  }
  return names.filter((name) => typeof name === 'string').map((name) => name.slice(0, NAME_CHARACTERS))
}

function prototypeOf(source: unknown): object | undefined {
  if (typeof source !== 'object' || source === null) return undefined
  const prototype = attempt<unknown>(() => Object.getPrototypeOf(source))
  return typeof prototype === 'object' && prototype !== null ? prototype : undefined
}

/** The message of an error, or the string that was thrown in place of one; its first 10,000 characters. */
export function readText(error: unknown): string {
  const text = typeof error === 'string' ? error : readField(error, 'message')
  return typeof text === 'string' ? text.slice(0, TEXT_CHARACTERS) : ''
}
