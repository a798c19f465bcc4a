import { fatal, retryable } from './judgement.ts'
import type { Judgement } from './judgement.ts'

/** What the name of an error's class says. The first that matches counts. */
const NAME_RULES: readonly (readonly [RegExp, Judgement])[] = [
  [/^LeaseLostError$/, retryable('lease-lost')],
  [/^(?:AbortError|CanceledError)$/, retryable('aborted')],
  [/(?:Validation(?:Error|Exception)|^\$?Zod(?:Real)?Error|^ValiError|^InvalidInputError)$/, fatal('validation')],
  [/^(?:BadRequest|UnprocessableEntity|UnprocessableContent)(?:Error|Exception)$/, fatal('validation')],
  [/^Schema(?:Mismatch)?Error$/, fatal('schema')],
  [/^(?:Entity|Record|Resource|Document|Job)?NotFound(?:Error|Exception)?$/, fatal('not-found')],
  [/^NoSuch(?:Key|Bucket)$/, fatal('not-found')],
  [/^(?:Forbidden|Unauthorized)(?:Error|Exception)$/, fatal('forbidden')],
  [/^(?:RateLimit|TooManyRequests|Throttl)\w{0,40}$/, retryable('too-many-requests')],
  [/^Mongo(?:Network|ServerSelection)\w{0,40}$/, retryable('database-connection')],
  [/Time[oO]ut(?:Error|Exception)?$/, retryable('timeout')],
  [/(?:Network|Connection|ConnectionRefused|HostNotFound|HostNotReachable|Socket|Fetch)Error$/, retryable('network')],
]

export function judgeName(name: string): Judgement | undefined {
  return NAME_RULES.find(([pattern]) => pattern.test(name))?.[1]
}
