/** What a job type is, importable by whoever enqueues it, without any of the handler's dependencies. */
import type { ClassificationRule } from './classification.ts'
import type { EntityProbe } from './entity-status.ts'
import type { JobPolicy } from './policy.ts'
import type { Schema } from './schema.ts'

export interface JobDefinition<
  Name extends string = string,
  InputSchema extends Schema | undefined = Schema | undefined,
  OutputSchema extends Schema | undefined = Schema | undefined,
  Phases extends readonly string[] = readonly string[],
> {
  readonly name: Name
  /** The one service that works on the type. */
  readonly service: string
  /** A name to pause jobs by; the type's name unless said. */
  readonly queue: string
  readonly input: InputSchema
  readonly output: OutputSchema
  readonly phases: Phases
  readonly policy: JobPolicy
  /** Asked before the rules that Millrace has of its own. */
  readonly rules: readonly ClassificationRule[]
  /** How the thing stands that a job was about, unless the handler says it in another way. Null: nobody is asked. */
  readonly entityStatus: EntityProbe | null
}
