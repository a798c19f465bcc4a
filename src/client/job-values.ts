/** What a definition says about the values of its jobs, as types. */
import type { JobDefinition } from '../core/definition.ts'
import type { Json, JsonCompatible } from '../core/json.ts'
import type { Schema, SchemaInput, SchemaOutput } from '../core/schema.ts'

/** What a producer writes. Without a schema anything that is JSON. */
export type InputOf<Definition extends JobDefinition> = SchemaInput<Definition['input']> &
  JsonCompatible<SchemaInput<Definition['input']>>

/** What a completed job gives back, as the output schema parses it. Without a schema any JSON. */
export type OutputOf<Definition extends JobDefinition | undefined> = Definition extends JobDefinition
  ? OutputOfSchema<Definition['output']>
  : Json

type OutputOfSchema<OutputSchema extends Schema | undefined> = OutputSchema extends Schema
  ? SchemaOutput<OutputSchema>
  : Json

/** An input and its options. The input may be left out where the definition has no schema for it: the job's input is then null. */
export type InputAndOptions<Target extends JobDefinition | string, Options> = Target extends JobDefinition
  ? Target['input'] extends undefined
    ? readonly [input?: unknown, options?: Options]
    : readonly [input: InputOf<Target>, options?: Options]
  : readonly [input?: unknown, options?: Options]

/** The definition of a target; a type that is named has none. */
export type DefinitionOf<Target extends JobDefinition | string> = Target extends JobDefinition ? Target : undefined

/** A job that is known. With its definition, what is read of it is typed. */
export interface JobHandle<Definition extends JobDefinition | undefined = JobDefinition | undefined> {
  readonly id: string
  readonly type: string
  readonly definition: Definition
}

/** Which job: its id, a handle, a job that was read, or `{ id, definition }` for a typed answer about an id. */
export type JobReference =
  | string
  | {
      readonly id: string
      readonly definition?: JobDefinition | undefined
    }

/** The definition that a reference brings along; undefined: none. */
export type DefinitionIn<Reference extends JobReference> = Reference extends { readonly definition?: infer Definition }
  ? DefinitionOrNone<Definition>
  : undefined

type DefinitionOrNone<Definition> = Definition extends JobDefinition ? Definition : undefined
