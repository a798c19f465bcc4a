/** A PostgreSQL database for one page: empty when its blocks begin, gone when they have ended. */
import { randomUUID } from 'node:crypto'
import pg from 'pg'

import { postgresUrl } from '../support/postgres-server.ts'
import type { Step } from './steps.ts'

/** The variable that a page's programs and commands read, as a real program would. */
export const URL_VARIABLE = 'DATABASE_URL'

type Row = Readonly<Record<string, unknown>>

export interface PageDatabase {
  readonly url: string
  /** Runs all statements of the text; answers the rows of the last. */
  readonly rows: (sql: string) => Promise<readonly Row[]>
  /** Whoever is still connected is cut off. */
  readonly drop: () => Promise<void>
}

/** Whether a step can't do without one. */
export function needsPageDatabase(step: Step): boolean {
  if (step.kind === 'sql') return step.store === 'postgres'
  if (step.kind === 'command') return step.command.includes(URL_VARIABLE)
  return (step.kind === 'module' || step.kind === 'write') && step.code.includes(URL_VARIABLE)
}

/** On the server of the run, or, where DATABASE_URL is set, on that one: its user must be allowed to make databases. */
export async function openPageDatabase(): Promise<PageDatabase> {
  const server = await postgresUrl()
  const name = `millrace_docs_${randomUUID().replaceAll('-', '')}`
  const url = new URL(server)
  url.pathname = `/${name}`
  await query(server, `CREATE DATABASE ${name}`)
  return {
    url: url.href,
    rows: (sql) => query(url.href, sql),
    drop: async () => void (await query(server, `DROP DATABASE ${name} WITH (FORCE)`)),
  }
}

async function query(url: string, sql: string): Promise<readonly Row[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const results: unknown = await client.query(sql)
    const last: unknown = Array.isArray(results) ? results.at(-1) : results
    return (last as pg.QueryResult<Row>).rows
  } finally {
    await client.end()
  }
}
