/**
 * graphile-worker on PostgreSQL. A job is a row that is deleted as it is completed, so there is no history, and nothing to count afterwards
 * but what is left. Every call that adds jobs notifies the workers in its own transaction, and PostgreSQL commits such transactions one
 * after the other.
 *
 * - best: all that its page on performance names. Claims come by 5,000 (`localQueue`), completions of 5 ms share a statement; 1,000, 2,000,
 *   5,000 and 10,000 a claim drained 30,000, 47,000, 59,000 and 61,000 a second, and neither 100 nor 2,000 handlers at a time nor a delay
 *   of 0, 20 or 50 ms made a difference beyond the noise. A pool of 50: with the default of 10, 100 callers were half as fast. Bulks go to its
 *   function `add_jobs` as its own benchmark does it, since the call `addJobs` brings all the rows back: 103,000 a second instead of 78,000.
 *   It logs nothing.
 * - defaults: one job at a time, each claimed and completed by a statement of its own, and a line on the console for each, which in a run
 *   leads to nowhere.
 */
import { EventEmitter, once } from 'node:events'
import type * as Library from 'graphile-worker'
import { databaseJobs } from './postgres-client.ts'
import type { BacklogKind, Contender, JobInput, Place, Queue, Settings, Working } from './contender.ts'
import { BACKLOG_INPUT, copyRow } from './postgres-backlog.ts'
import { inPostgres } from './postgres-server.ts'
import { watchStore } from './store-watch.ts'

const TASK = 'bench'
const OTHER_TASK = 'other'
const BATCH_MS = 5

export function graphileWorker(settings: Settings): Contender {
  return {
    ...inPostgres(async (url) => (await load(settings)).runMigrations({ connectionString: url })),
    name: 'graphile-worker',
    label: 'graphile-worker',
    settings,
    open: async ({ address }) => openQueue(await load(settings), address, settings),
    addBacklog,
  }
}

/** It looks at its environment as it is loaded. */
async function load(settings: Settings): Promise<typeof Library> {
  if (settings === 'best') process.env['NO_LOG_SUCCESS'] = '1'
  return import('graphile-worker')
}

function optionsOf(library: typeof Library, url: string, settings: Settings): Library.SharedOptions {
  if (settings === 'defaults') return { connectionString: url }
  return {
    preset: {
      worker: {
        connectionString: url,
        maxPoolSize: 50,
        concurrentJobs: 500,
        localQueue: { size: 5_000 },
        completeJobBatchDelay: BATCH_MS,
        failJobBatchDelay: BATCH_MS,
        logger: new library.Logger(() => () => undefined),
      },
    },
  }
}

/** Jobs of another task are there before those of the run, if there are any. */
const LAST_OTHER = 'SELECT coalesce(max(id), 0) AS id FROM graphile_worker.jobs WHERE task_identifier <> $1'
/** From the end of the index of ids, where the last jobs are, since those before have left dead rows. */
const ANY_LEFT = 'SELECT 1 FROM graphile_worker._private_jobs WHERE id > $1 ORDER BY id DESC LIMIT 1'

async function openQueue(library: typeof Library, url: string, settings: Settings): Promise<Queue> {
  const options = optionsOf(library, url, settings)
  const utils = await library.makeWorkerUtils(options)
  const { rows } = await utils.withPgClient((client) => client.query<{ id: string }>(LAST_OTHER, [TASK]))
  const anyLeft = async (): Promise<boolean> => {
    const left = await utils.withPgClient((client) => client.query(ANY_LEFT, [rows[0]?.id]))
    return left.rows.length > 0
  }
  return {
    enqueue: async (input) => void (await utils.addJob(TASK, input)),
    enqueueMany: settings === 'best' ? (inputs) => addByStatement(utils, inputs) : (inputs) => addByCall(utils, inputs),
    work: async (onJob) => startWorking({ library, options, anyLeft, onJob }),
    async counts() {
      const count = 'SELECT count(*) AS jobs FROM graphile_worker.jobs WHERE task_identifier = $1'
      return { waiting: await databaseJobs(url, count, [TASK]), completed: null }
    },
    close: async () => utils.release(),
  }
}

async function addByCall(utils: Library.WorkerUtils, inputs: readonly JobInput[]): Promise<void> {
  await utils.addJobs(specsOf(inputs))
}

const ADD_JOBS = `SELECT 1 FROM graphile_worker.add_jobs(
  ARRAY(SELECT json_populate_recordset(NULL::graphile_worker.job_spec, $1::json)))`

async function addByStatement(utils: Library.WorkerUtils, inputs: readonly JobInput[]): Promise<void> {
  await utils.withPgClient((client) => client.query(ADD_JOBS, [JSON.stringify(specsOf(inputs))]))
}

function specsOf(inputs: readonly JobInput[]): { identifier: string; payload: JobInput }[] {
  return inputs.map((payload) => ({ identifier: TASK, payload }))
}

interface Work {
  readonly library: typeof Library
  readonly options: Library.SharedOptions
  readonly anyLeft: () => Promise<boolean>
  readonly onJob: (input: JobInput) => void
}

async function startWorking({ library, options, anyLeft, onJob }: Work): Promise<Working> {
  const watch = watchStore(anyLeft)
  const events = new EventEmitter()
  const listens = once(events, 'pool:listen:success')
  const runner = await library.run({
    ...options,
    events,
    taskList: {
      [TASK](payload) {
        watch.ran()
        onJob(payload as JobInput)
      },
    },
  })
  await listens
  return { drained: watch.drained, stop: () => runner.stop() }
}

async function addBacklog({ address }: Place, kind: BacklogKind, count: number): Promise<void> {
  if (kind !== 'other') throw new Error(`graphile-worker has no backlog of the kind "${kind}"`)
  const library = await load('best')
  const utils = await library.makeWorkerUtils(optionsOf(library, address, 'best'))
  await utils.addJob(OTHER_TASK, BACKLOG_INPUT)
  await utils.release()
  await copyRow(address, { table: 'graphile_worker._private_jobs', condition: 'true', count })
}
