/**
 * A PostgreSQL server for tests. `npm test` starts one for the whole run if a suite asks for it, and hands its URL to the test files; a file
 * that is run alone starts its own with the first store that needs it. Where DATABASE_URL is set, that server is used and none is started.
 */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'

export interface PostgresServer {
  readonly url: string
  /**
   * Ends the server at once, so that it loses whatever is not on the disk, and starts it again on what it has kept, after `meanwhile` if there
   * is something to be done while it is down. Null: it is somebody else's.
   */
  readonly restart: ((meanwhile?: () => Promise<void>) => Promise<void>) | null
  /** Resolves once the server has gone, and its folder with it. */
  stop(): Promise<void>
}

/** The environment variable that hands the server of a run to its test files. */
export const POSTGRES_VARIABLE = 'MILLRACE_TEST_POSTGRES'

const KEEPER = join(import.meta.dirname, 'programs/postgres-keeper.ts')

/** What the keeper tells, at first and after each start: where its server listens, or why there is none. */
export interface KeeperMessage {
  readonly url: string | null
  readonly problem: string
}

/** What the keeper may be told: to end its server at once, and to start it again. */
export type KeeperOrder = 'end' | 'start'

/** The server that DATABASE_URL names, or a new one with an empty database, which goes when it is stopped or this process ends. */
export async function startPostgres(): Promise<PostgresServer> {
  const given = process.env['DATABASE_URL'] ?? ''
  if (given !== '') return { url: given, restart: null, stop: () => Promise.resolve() }
  // In a group of its own: Ctrl-C is for this process, and the keeper hears of its end.
  const keeper = fork(KEEPER, { detached: true, execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })
  const ended = new Promise<void>((resolve) => {
    keeper.once('exit', () => resolve())
  })
  const url = await urlOf(keeper, ended)
  // Nobody is kept alive by a server that he does not stop.
  keeper.unref()
  keeper.channel?.unref()
  return {
    url,
    restart: async (meanwhile = () => Promise.resolve()) => {
      keeper.send('end' satisfies KeeperOrder)
      await meanwhile()
      keeper.send('start' satisfies KeeperOrder)
      await urlOf(keeper, ended)
    },
    stop: async () => {
      keeper.ref()
      if (keeper.connected) keeper.disconnect()
      await ended
    },
  }
}

async function urlOf(keeper: ChildProcess, ended: Promise<void>): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<KeeperMessage>()
  keeper.once('message', resolve)
  keeper.once('error', ({ message }) => resolve({ url: null, problem: message }))
  const silent = ended.then((): KeeperMessage => ({ url: null, problem: 'it ended without a word' }))
  const { url, problem } = await Promise.race([promise, silent])
  if (url !== null) return url
  throw new Error(`no PostgreSQL server could be started; set DATABASE_URL to use another one\n${problem}`)
}

let own: Promise<PostgresServer> | null = null

/** The server that this process's tests use. */
export async function postgresUrl(): Promise<string> {
  const handed = process.env[POSTGRES_VARIABLE] ?? ''
  if (handed !== '') return handed
  own ??= startPostgres()
  return (await own).url
}
