/**
 * pg-boss on PostgreSQL. A completed job is kept for a week by default, in the table of the waiting ones. Its workers poll; with the variant
 * `pg-boss-notify` an enqueue wakes them, in a transaction that notifies, and PostgreSQL commits such transactions one after the other.
 *
 * - best: a table of its own for the queue (`partition`), two workers that fetch 5,000 each and go on while a fetch is full
 *   (`burstWhenBatchFull`). One worker drained 29,000 a second, two of 5,000 or 10,000 a batch 44,000, three or four no more. A larger pool
 *   than the default of 10 made no difference to 100 callers.
 * - defaults: `work` takes one job every two seconds, so a drain at its defaults would take days. Instead `fetch` and `complete` are called in
 *   a loop, at their default of one job a call.
 */
import { nowMs } from '../clock.ts'
import type { BacklogKind, Contender, JobInput, Place, Queue, Settings, Working } from './contender.ts'
import { databaseJobs } from './postgres-client.ts'
import { BACKLOG_INPUT, copyRow } from './postgres-backlog.ts'
import { inPostgres } from './postgres-server.ts'
import { watchStore } from './store-watch.ts'

// Its declarations do not compile under ours. So what is used of it is declared here.
const PACKAGE: string = 'pg-boss'

interface PgBossLibrary {
  readonly PgBoss: new (options: BossOptions) => PgBoss
}

interface BossOptions {
  readonly connectionString: string
  readonly useListenNotify?: boolean
}

interface BossJob {
  readonly id: string
  readonly data: JobInput
}

interface PgBoss {
  start(): Promise<unknown>
  stop(options: { readonly graceful: boolean }): Promise<void>
  createQueue(name: string, options: { readonly partition?: boolean; readonly notify?: boolean }): Promise<void>
  send(name: string, input: JobInput): Promise<string | null>
  insert(name: string, jobs: readonly { readonly data: JobInput }[]): Promise<unknown>
  work(name: string, options: WorkOptions, handler: (jobs: readonly BossJob[]) => Promise<void>): Promise<string>
  offWork(name: string): Promise<void>
  fetch(name: string): Promise<readonly BossJob[]>
  complete(name: string, id: string): Promise<unknown>
  getDb(): { executeSql(text: string, values: readonly unknown[]): Promise<{ readonly rows: readonly unknown[] }> }
}

interface WorkOptions {
  readonly batchSize: number
  readonly localConcurrency: number
  readonly pollingIntervalSeconds: number
  readonly burstWhenBatchFull: boolean
}

const QUEUE = 'bench'
const OTHER_QUEUE = 'other'
const BEST_WORK: WorkOptions = {
  batchSize: 5_000,
  localConcurrency: 2,
  pollingIntervalSeconds: 0.5,
  burstWhenBatchFull: true,
}

type BossName = 'pg-boss' | 'pg-boss-notify'

export function pgBoss(name: BossName, settings: Settings): Contender {
  const notify = name === 'pg-boss-notify'
  const tables = settings === 'best' ? { partition: true, notify } : {}
  return {
    ...inPostgres(async (url) => {
      const boss = await startBoss(url, notify)
      for (const queue of [QUEUE, OTHER_QUEUE]) await boss.createQueue(queue, tables)
      await boss.stop({ graceful: false })
    }),
    name,
    label: notify ? 'pg-boss, listening' : 'pg-boss',
    settings,
    open: async ({ address }) => openQueue(await startBoss(address, notify), address, settings),
    addBacklog,
  }
}

async function startBoss(url: string, notify: boolean): Promise<PgBoss> {
  const { PgBoss } = (await import(PACKAGE)) as PgBossLibrary
  const boss = new PgBoss({ connectionString: url, ...(notify ? { useListenNotify: true } : {}) })
  await boss.start()
  return boss
}

const COUNT = 'SELECT count(*) AS jobs FROM pgboss.job WHERE name = $1 AND state'

function openQueue(boss: PgBoss, url: string, settings: Settings): Queue {
  return {
    enqueue: async (input) => void (await boss.send(QUEUE, input)),
    enqueueMany: async (inputs) =>
      void (await boss.insert(
        QUEUE,
        inputs.map((data) => ({ data })),
      )),
    work: async (onJob) => (settings === 'best' ? startWorkers(boss, onJob) : startLoop(boss, onJob)),
    counts: async () => ({
      waiting: await databaseJobs(url, `${COUNT} <> 'completed'`, [QUEUE]),
      completed: await databaseJobs(url, `${COUNT} = 'completed'`, [QUEUE]),
    }),
    close: () => boss.stop({ graceful: false }),
  }
}

/** As the index of those that are not over has it. */
const ANY_LEFT = `SELECT 1 FROM pgboss.job WHERE name = $1 AND state IN ('created', 'retry', 'active', 'failed') LIMIT 1`

async function startWorkers(boss: PgBoss, onJob: (input: JobInput) => void): Promise<Working> {
  const watch = watchStore(async () => (await boss.getDb().executeSql(ANY_LEFT, [QUEUE])).rows.length > 0)
  await boss.work(QUEUE, BEST_WORK, async (jobs) => {
    for (const { data } of jobs) {
      watch.ran()
      onJob(data)
    }
  })
  return { drained: watch.drained, stop: () => boss.offWork(QUEUE) }
}

/** It ends where it finds nothing, which is all that a drain asks of it. */
async function startLoop(boss: PgBoss, onJob: (input: JobInput) => void): Promise<Working> {
  let completedAt = nowMs()
  const loop = async (): Promise<void> => {
    for (let [job] = await boss.fetch(QUEUE); job !== undefined; [job] = await boss.fetch(QUEUE)) {
      onJob(job.data)
      await boss.complete(QUEUE, job.id)
      completedAt = nowMs()
    }
  }
  const over = loop()
  return {
    async drained() {
      await over
      return completedAt
    },
    stop: () => over,
  }
}

async function addBacklog({ address }: Place, kind: BacklogKind, count: number): Promise<void> {
  if (kind === 'behind') throw new Error('pg-boss has no backlog of the kind "behind"')
  const boss = await startBoss(address, false)
  const queue = kind === 'other' ? OTHER_QUEUE : QUEUE
  await boss.send(queue, BACKLOG_INPUT)
  if (kind === 'finished') await (await startLoop(boss, () => undefined)).stop()
  await boss.stop({ graceful: false })
  await copyRow(address, { table: 'pgboss.job', condition: `name = '${queue}'`, filled: ['id'], count })
}
