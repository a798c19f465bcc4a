/** Inputs and outputs: short ones on the job's row, long ones in a table apart. docs/performance.md shows where the border pays. */
import type { Database } from './database.ts'

const INLINE_CHARACTERS = 250

export const INPUT = 1
export const OUTPUT = 2

type BodyKind = typeof INPUT | typeof OUTPUT

/** What goes on the row. */
export function inlineBody(text: string): string | null {
  return text.length <= INLINE_CHARACTERS ? text : null
}

const PUT_BODY =
  'INSERT INTO millrace_bodies (job, kind, body) VALUES (?, ?, ?) ON CONFLICT (job, kind) DO UPDATE SET body = excluded.body'
const GET_BODY = 'SELECT body FROM millrace_bodies WHERE job = ? AND kind = ?'
const DROP_BODY = 'DELETE FROM millrace_bodies WHERE job = ? AND kind = ?'

/** What doesn't. */
export function keepLongBody(db: Database, job: number, kind: BodyKind, text: string): void {
  if (inlineBody(text) === null) db.run(PUT_BODY, job, kind, text)
}

export function dropBody(db: Database, job: number, kind: BodyKind): void {
  db.run(DROP_BODY, job, kind)
}

/** The text, wherever it is; null: there is none. */
export function readBody(db: Database, job: number, kind: BodyKind, inline: unknown): string | null {
  if (typeof inline === 'string') return inline
  const body = db.get(GET_BODY, job, kind)?.['body']
  return typeof body === 'string' ? body : null
}
