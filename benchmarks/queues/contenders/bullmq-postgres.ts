/**
 * BullMQ on its PostgreSQL backend, with the calls that it has on Redis. A job is claimed and completed by a statement of its own; the one that
 * completes a job claims the next. Completed jobs are kept, which is its default.
 *
 * - best: 100 jobs at a time on a pool of 20 connections. 8, 32 and 100 at a time on pools of 10 to 50 drained 2,500 to 2,900 a second, 300 on
 *   a pool of 100 fewer.
 * - defaults: one job at a time; the pool of its driver, 10.
 */
import { createPostgresBackend, runMigrations, withBackend } from 'bullmq'
import { openBullQueue } from './bullmq-queue.ts'
import type { BacklogKind, Contender, JobInput, Place, Queue, Settings } from './contender.ts'
import { withClient } from './postgres-client.ts'
import { BACKLOG_INPUT, copyRow } from './postgres-backlog.ts'
import { inPostgres } from './postgres-server.ts'

const onPostgres = withBackend(createPostgresBackend)
const QUEUE = 'bench'
const OTHER_QUEUE = 'other'
const BEST_CONCURRENCY = 100
const BEST_POOL = 20

export function bullmqPostgres(settings: Settings): Contender {
  return {
    ...inPostgres((url) => withClient(url, async (client) => void (await runMigrations(client)))),
    name: 'bullmq-postgres',
    label: 'BullMQ on PostgreSQL',
    settings,
    open: async ({ address }) => openQueue(QUEUE, address, settings),
    addBacklog,
  }
}

async function openQueue(name: string, url: string, settings: Settings): Promise<Queue> {
  const best = settings === 'best'
  const connection = { connectionString: url, ...(best ? { max: BEST_POOL } : {}) }
  const concurrency = best ? { concurrency: BEST_CONCURRENCY } : {}
  return openBullQueue({
    queue: new onPostgres.Queue<JobInput>(name, { connection }),
    startWorker: (onJob) =>
      new onPostgres.Worker<JobInput>(name, async ({ data }) => onJob(data), { connection, ...concurrency }),
  })
}

async function addBacklog({ address }: Place, kind: BacklogKind, count: number): Promise<void> {
  if (kind === 'behind') throw new Error('BullMQ has no backlog of the kind "behind"')
  const name = kind === 'other' ? OTHER_QUEUE : QUEUE
  const queue = await openQueue(name, address, 'defaults')
  await queue.enqueue(BACKLOG_INPUT)
  if (kind === 'finished') {
    const working = await queue.work(() => undefined)
    await working.drained(1)
    await working.stop()
  }
  await queue.close()
  await copyRow(address, {
    table: 'bullmq.job',
    condition: `queue = '${name}'`,
    differing: { id: `'copy-' || i`, seq: `nextval('bullmq.job_seq')` },
    count,
  })
}
