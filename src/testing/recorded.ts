/** What a handler made beside its result. */
import { asObject } from '../client/job.ts'
import type { Json } from '../core/json.ts'

export interface RecordedLine {
  /** `info`, `warn` or `error`. */
  readonly level: string
  readonly message: string
  /** Null: none. */
  readonly fields: Json
}

export interface RecordedProgress {
  /** Of the phase, 0 to 100. */
  readonly percent: number
  /** What was told beside it; null: nothing. */
  readonly context: Json
}

export interface RecordedArtifact {
  readonly name: string
  readonly contentType: string
  readonly bytes: Uint8Array
}

/** The line that an event `job:log` tells. */
export function lineOf(detail: Json): RecordedLine {
  const { level = null, message = null, fields = null } = asObject(detail)
  return { level: asText(level), message: asText(message), fields }
}

function asText(json: Json): string {
  return typeof json === 'string' ? json : ''
}
