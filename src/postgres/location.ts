/** From a URL to a database that Millrace may name in logs, and from an option to a schema. */
import { InvalidInputError, MillraceError } from '../core/errors.ts'

export const DEFAULT_SCHEMA = 'millrace'

const POSTGRES = /^postgres(?:ql)?:\/\//i

/** The database without user and password: `postgres://db.example:5432/shop`. */
export function describeUrl(url: string): string {
  const parsed = POSTGRES.test(url) && URL.canParse(url) ? new URL(url) : null
  if (parsed === null) {
    throw new MillraceError(
      'url-invalid',
      'The store\'s URL is not understood. Write "postgres://user:password@host:5432/database".',
      { details: { scheme: POSTGRES.exec(url)?.[0] ?? '' } },
    )
  }
  return `postgres://${parsed.host === '' ? 'localhost' : parsed.host}${parsed.pathname}`
}

const SCHEMA = /^[a-z_][a-z0-9_]{0,62}$/

/** Lower case letters, digits and underscores: a name that means the same with quotes and without. */
export function checkSchema(schema: string): string {
  if (SCHEMA.test(schema) && !schema.startsWith('pg_')) return schema
  throw new InvalidInputError({
    path: 'schema',
    expected:
      'a name of lower case letters, digits and underscores, at most 63, that begins with no digit and not with pg_',
    received: JSON.stringify(schema),
  })
}

/** Statements are written for the schema `millrace`; another one is put in its place. */
export function inSchema(sql: string, schema: string): string {
  return schema === DEFAULT_SCHEMA ? sql : sql.replaceAll(/\bmillrace\./g, `"${schema}".`)
}
