/**
 * Schemas of inputs and outputs: anything that speaks Standard Schema (https://standardschema.dev), such as zod, valibot or arktype.
 * The one place where core names something of others, and only as a type.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { InvalidInputError } from './errors.ts'
import type { ErrorCode } from './errors.ts'

export type Schema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>

/** What goes into a schema: what a producer writes. */
export type SchemaInput<S extends Schema | undefined> = S extends Schema ? StandardSchemaV1.InferInput<S> : unknown

/** What comes out of it: what a handler reads. */
export type SchemaOutput<S extends Schema | undefined> = S extends Schema ? StandardSchemaV1.InferOutput<S> : unknown

export interface Parse {
  /** What the value is called in the error: `input`, `output`. */
  readonly path: string
  readonly code: ErrorCode
}

/** The value as the schema gives it back. Throws InvalidInputError with the path of the first value that the schema refuses. */
export async function parseWith(schema: Schema | undefined, unparsed: unknown, parse: Parse): Promise<unknown> {
  return parseSoon(schema, unparsed, parse)
}

/** The same, at once where the schema answers at once, else a promise of it. */
export function parseSoon(schema: Schema | undefined, unparsed: unknown, parse: Parse): unknown {
  if (schema === undefined) return unparsed
  const validated = schema['~standard'].validate(unparsed)
  return 'then' in validated ? validated.then((result) => accepted(result, parse)) : accepted(validated, parse)
}

/** What a schema has answered: its value, or else InvalidInputError with the path of the first value that it refused. */
export function accepted(result: StandardSchemaV1.Result<unknown>, { path, code }: Parse): unknown {
  if (result.issues === undefined) return result.value
  const [first, ...others] = result.issues.map((issue) => ({
    path: path + renderPath(issue.path ?? []),
    message: issue.message,
  }))
  const { path: at, message } = first ?? { path, message: 'a valid value' }
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`
  throw new InvalidInputError({
    path: at,
    expected: `what the schema accepts: ${message}${more}`,
    code,
    details: { issues: first === undefined ? [] : [first, ...others] },
  })
}

type PathSegments = NonNullable<StandardSchemaV1.Issue['path']>

function renderPath(segments: PathSegments): string {
  return segments
    .map((segment) => (typeof segment === 'object' ? segment.key : segment))
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
}
