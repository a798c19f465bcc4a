/** Lines that a handler writes into its job's own history. */
import { encodeJson } from '../core/encode-json.ts'
import { readText } from '../core/classification/error-tree.ts'
import { decodeJson } from '../core/json.ts'
import type { Json } from '../core/json.ts'
import { LIMITS } from '../core/limits.ts'
import { LOG } from '../core/plans.ts'
import type { Attempt } from './attempt.ts'
import type { JobLog } from './handler-context.ts'

type Level = keyof JobLog
type Fields = Readonly<Record<string, unknown>>

/** A plain call can't slow its caller down, so lines beyond these are dropped. */
export const MOST_UNDER_WAY = 1_000

export const LINES_DROPPED = 'A handler logs faster than the store can write; lines of its job are dropped.'

export function jobLog(attempt: Attempt): JobLog {
  const line =
    (level: Level) =>
    (message: string, fields?: Fields): void => {
      attempt.check(`log.${level}`)
      if (attempt.underWay >= MOST_UNDER_WAY) {
        attempt.warnOnce(LINES_DROPPED)
        return
      }
      attempt.tell('log', { plan: LOG, detail: JSON.stringify(lineOf(level, message, fields)) })
    }
  return { info: line('info'), warn: line('warn'), error: line('error') }
}

/** A type, so that it counts as `Json`. */
export type Line = { readonly level: Level; readonly message: string; readonly fields?: Json }

/** The line as it is kept, cut to the limits. */
export function lineOf(level: Level, message: unknown, fields: Fields | undefined): Line {
  const text = readText(message).slice(0, LIMITS.logMessageCharacters)
  return {
    level,
    message: text.toWellFormed().replaceAll('\0', '\uFFFD'),
    ...(fields === undefined ? {} : { fields: keptFields(fields) }),
  }
}

/** A line is worth more than its fields: what can't be kept of them must not fail the job. */
function keptFields(fields: Fields): Json {
  try {
    return decodeJson(encodeJson(fields, { path: 'fields', limitBytes: LIMITS.progressContextBytes }))
  } catch (error) {
    return { leftOut: readText(error) }
  }
}
