/** Opens the store that a command line names, for one command. */
import { existsSync, mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

import { MillraceError, openMillrace } from '../index.ts'
import type { Logger, Millrace } from '../index.ts'
import type { Command } from './command-line.ts'
import type { ExitCode } from './exit-codes.ts'
import { LOG_FORMATS } from './log-format.ts'
import type { LogFormat } from './log-format.ts'
import { openScreen } from './screen.ts'
import type { Screen } from './screen.ts'

/** The options that every command has. */
export interface Globals {
  readonly db: string
  /** Null: the store's own default. */
  readonly schema: string | null
  readonly json: boolean
  readonly logFormat: LogFormat | null
}

export const DEFAULT_URL = 'sqlite:./data/millrace.db'

export function readGlobals(command: Command): Globals {
  const { db, schema, json, logFormat } = command.optsWithGlobals<Readonly<Record<keyof Globals, unknown>>>()
  return {
    db: typeof db === 'string' ? db : DEFAULT_URL,
    schema: typeof schema === 'string' ? schema : null,
    json: json === true,
    logFormat: LOG_FORMATS.find((format) => format === logFormat) ?? null,
  }
}

export interface Session {
  readonly mill: Millrace
  readonly screen: Screen
}

/**
 * Opens the store, acts, and closes it, whatever happened. The exit code is that of the act.
 *
 * @param creates whether the command may make a store that is not there: one that only looks must not
 */
export async function withMill(
  command: Command,
  { creates }: { readonly creates: boolean },
  act: (session: Session) => Promise<ExitCode | void>,
): Promise<void> {
  const globals = readGlobals(command)
  const screen = openScreen(globals)
  const mill = await openAt(globals, { creates, logger: warningsTo(screen), thread: false })
  try {
    process.exitCode = (await act({ mill, screen })) ?? 0
  } finally {
    await mill.close()
  }
}

export interface OpenAt {
  readonly creates: boolean
  readonly logger: Logger
  /** On SQLite. False for a command that asks one thing: threads would take longer to start than it takes. */
  readonly thread: boolean
}

export async function openAt(
  { db: url, schema }: Pick<Globals, 'db' | 'schema'>,
  { creates, logger, thread }: OpenAt,
): Promise<Millrace> {
  if (!creates) refuseMissing(url)
  // The folder of the default, and no other: a folder that was misspelt is not wanted.
  else if (url === DEFAULT_URL) mkdirSync('data', { recursive: true })
  return openMillrace(url, {
    logger,
    ...(url.startsWith('sqlite:') ? { thread } : {}),
    ...(schema === null ? {} : { schema }),
  })
}

function refuseMissing(url: string): void {
  const path = /^sqlite:(?:\/\/)?(?!:memory:$)(?<path>.+)$/.exec(url)?.groups?.['path']
  if (path === undefined || existsSync(path)) return
  throw new MillraceError(
    'store-unwritable',
    `There is no database at ${resolve(path)}. Name another one with --db or MILLRACE_URL, or make one: millrace start, or enqueue a job.`,
    { details: { folder: dirname(resolve(path)) } },
  )
}

function warningsTo(screen: Screen): Logger {
  return {
    info: () => undefined,
    warn: (message) => screen.note(`warning: ${message}`),
    error: (message) => screen.note(`error: ${message}`),
  }
}
