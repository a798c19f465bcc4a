/**
 * BullMQ on a Redis of its own, on the same machine. Redis runs with its own defaults, in both settings: snapshots now and then, no
 * append-only file. So a power cut, or a crash of Redis, takes the jobs of up to an hour, which Millrace's would outlive; its speed is that of memory.
 * The variant `bullmq-always` flushes an append-only file at every write, to compare at like durability. Jobs are kept after they completed, which is BullMQ's default.
 *
 * - best: 300 jobs at a time in each worker; 50 to 1,000 drained at about the same rate. The pipelining of its driver (enableAutoPipelining)
 *   made it slower, so it is off, as it is by default.
 * - defaults: one job at a time.
 */
import { basename } from 'node:path'
import { Queue as BullQueue, Worker } from 'bullmq'
import { openBullQueue } from './bullmq-queue.ts'
import type { Contender, Host, JobInput, Place, Queue, Settings } from './contender.ts'
import { redisUnavailable, startRedis, usedMemory } from './redis-server.ts'

const BEST_CONCURRENCY = 300

type BullName = 'bullmq' | 'bullmq-always'

export function bullmq(name: BullName, settings: Settings): Contender {
  const flushed = name === 'bullmq-always'
  return {
    name,
    label: flushed ? 'BullMQ, appendfsync always' : 'BullMQ',
    settings,
    durable: flushed,
    durability: flushed ? 'nothing (Redis, appendfsync always)' : 'all since the last snapshot (Redis, RDB)',
    bytesOf: 'memory',
    unavailable: async () => redisUnavailable(flushed),
    host: (folder) => hostQueue(folder, flushed),
    bytes: async ({ address }) => usedMemory(address),
    open: async (place) => openRedisQueue(place, settings),
  }
}

/** A server that is not ours is left as it was. */
async function hostQueue(folder: string, flushed: boolean): Promise<Host> {
  const host = await startRedis(folder, flushed)
  if (host.ours) return host
  return {
    ...host,
    async stop() {
      const queue = new BullQueue(queueName(host.place), { connection: { url: host.place.address } })
      await queue.obliterate({ force: true })
      await queue.close()
    },
  }
}

/** A name of the run's own: others may use the server too. */
function queueName({ folder }: Place): string {
  return basename(folder)
}

async function openRedisQueue(place: Place, settings: Settings): Promise<Queue> {
  const connection = { url: place.address }
  const name = queueName(place)
  const concurrency = settings === 'best' ? { concurrency: BEST_CONCURRENCY } : {}
  return openBullQueue({
    queue: new BullQueue<JobInput>(name, { connection }),
    startWorker: (onJob) => new Worker<JobInput>(name, async ({ data }) => onJob(data), { connection, ...concurrency }),
  })
}
