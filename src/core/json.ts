/** What JSON can hold, and so what an input, a phase result or an output can be. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/**
 * `T` where it is JSON, with `never` in the places where it is not: functions, symbols, bigints, dates, maps, bytes. Unlike `Json` it lets
 * interfaces and optional properties pass. Use it beside the type parameter: `function store<T>(value: T & JsonCompatible<T>)`.
 * `unknown` and `any` pass; `encodeJson` checks the value itself.
 */
export type JsonCompatible<T> = unknown extends T ? T : JsonElement<T>

type JsonElement<T> = T extends Json ? T : JsonContainer<T>

type JsonContainer<T> = T extends NotJson
  ? never
  : T extends readonly unknown[]
    ? { [K in keyof T]: JsonCompatible<T[K]> }
    : T extends object
      ? { [K in keyof T]: T[K] extends infer V ? (V extends undefined ? V : JsonCompatible<V>) : never }
      : never

type NotJson =
  | ((...args: never[]) => unknown)
  | ArrayBufferView
  | ArrayBufferLike
  | Date
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>

/**
 * The value of a text that `encodeJson` made.
 *
 * @throws SyntaxError if the text is not JSON, which for a stored text means that the store is damaged
 */
export function decodeJson(text: string): Json {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- JSON.parse makes nothing else
  return JSON.parse(text) as Json
}

/** One text for values that are equal: the keys of objects are sorted, by UTF-16 code units. For comparing, not for keeping. */
export function canonicalJson(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members = Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`
}

function isList(value: readonly Json[] | { readonly [key: string]: Json }): value is readonly Json[] {
  return Array.isArray(value)
}
