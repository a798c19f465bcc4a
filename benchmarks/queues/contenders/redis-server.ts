/** A Redis of the benchmark's own: on this machine only, in the run's folder, gone after the run. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { Redis } from 'ioredis'
import { freePort } from '../free-port.ts'
import type { Host } from './contender.ts'

const PROGRAMS = ['redis-server', 'valkey-server']
const RETRY_MS = 20
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]'])

/** Why there is none; null: there is one. `flushed`: one that flushes every write to the disk. */
export function redisUnavailable(flushed: boolean): string | null {
  const url = process.env['REDIS_URL']
  if (url !== undefined && flushed) return 'the server of REDIS_URL keeps what it keeps'
  if (url === undefined) return findProgram() === undefined ? 'no redis-server was found on the PATH' : null
  return LOOPBACK.has(new URL(url).hostname) ? null : 'REDIS_URL does not lead to this machine'
}

export interface RedisHost extends Host {
  /** Started here, and gone with `stop`. */
  readonly ours: boolean
}

/**
 * The server that REDIS_URL names, or one that is started here with Redis' own defaults: snapshots (RDB), no append-only file; or, `flushed`,
 * with one that is flushed at every write.
 */
export async function startRedis(folder: string, flushed: boolean): Promise<RedisHost> {
  const given = process.env['REDIS_URL']
  if (given !== undefined) return { ours: false, place: await placeOf(folder, given), stop: async () => undefined }
  const port = await freePort()
  const program = findProgram() ?? 'redis-server'
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--daemonize', 'no']
  if (flushed) args.push('--appendonly', 'yes', '--appendfsync', 'always')
  const server = spawn(program, args, { stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => {
    server.once('exit', () => resolve())
    server.once('error', () => resolve())
  })
  return {
    ours: true,
    place: await placeOf(folder, `redis://127.0.0.1:${port}`),
    async stop() {
      server.kill('SIGKILL')
      await ended
    },
  }
}

/** What the server has taken up for data and its own, in bytes. */
export async function usedMemory(url: string): Promise<number> {
  const client = new Redis(url, { maxRetriesPerRequest: 100, retryStrategy: () => RETRY_MS })
  // A server that has just been started refuses for a moment; one that never answers makes the request fail.
  client.on('error', () => undefined)
  const told = await client.info('memory')
  await client.quit()
  return Number(/^used_memory:(\d+)/m.exec(told)?.[1])
}

async function placeOf(folder: string, address: string): Promise<Host['place']> {
  return { folder, address, emptyBytes: await usedMemory(address) }
}

function findProgram(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return PROGRAMS.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path))
}
