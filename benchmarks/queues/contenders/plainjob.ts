/**
 * plainjob on better-sqlite3: a queue in an SQLite file whose calls are synchronous.
 *
 * It sets WAL, synchronous NORMAL and a busy timeout by itself, so a power cut may take its last commits, which Millrace's would outlive;
 * the variant `plainjob-full` sets synchronous FULL, to compare at like durability. A worker runs one job at a time, and completes each in a commit of its own; there is nothing to raise.
 *
 * - best: as its own benchmark does it, a logger that does nothing. It polls every 10 ms instead of every second, for the pickup.
 * - defaults: it logs to the console, several lines a job at the level of debugging, which in a run lead to nowhere, and polls every second.
 */
import { createRequire } from 'node:module'
import { nowMs } from '../clock.ts'
import type { Contender, JobInput, Place, Queue, Settings, Working } from './contender.ts'
import { inSqliteFile } from './sqlite-file.ts'

// Its declarations name a module of another runtime, which the compiler refuses. So what is used of it is declared here.
const PACKAGE: string = 'plainjob'
const DRIVER: string = 'better-sqlite3'

interface Plainjob {
  better(database: unknown): unknown
  defineQueue(options: { readonly connection: unknown; readonly logger?: Logger }): PlainQueue
  defineWorker(type: string, processor: (job: { readonly data: string }) => void, options: WorkerOptions): PlainWorker
}

interface PlainDatabase {
  pragma(text: string): unknown
}

interface PlainQueue {
  add(type: string, input: unknown): unknown
  addMany(type: string, inputs: readonly unknown[]): unknown
  countJobs(filter?: { readonly status: number }): number
  close(): void
}

interface PlainWorker {
  start(): Promise<void>
  stop(): Promise<void>
}

interface Logger {
  error(message: string, ...meta: unknown[]): void
  warn(message: string, ...meta: unknown[]): void
  info(message: string, ...meta: unknown[]): void
  debug(message: string, ...meta: unknown[]): void
}

interface WorkerOptions {
  readonly queue: PlainQueue
  readonly logger?: Logger
  readonly pollIntervall?: number
  readonly onCompleted: () => void
}

const TYPE = 'bench'
const DONE = 2
const POLL_MS = 10
/** How often a drain with several workers is asked for: only while a worker finds nothing to do, since its loop lets no timer in. */
const LOOK_MS = 20
const silent = (): void => undefined
const SILENT: Logger = { error: silent, warn: silent, info: silent, debug: silent }

type PlainName = 'plainjob' | 'plainjob-full'

export function plainjob(name: PlainName, settings: Settings): Contender {
  const full = name === 'plainjob-full'
  return {
    ...inSqliteFile,
    name,
    label: full ? 'plainjob, synchronous FULL' : 'plainjob',
    settings,
    durable: full,
    durability: full ? 'nothing (SQLite, synchronous FULL)' : 'the last commits (SQLite, synchronous NORMAL)',
    open: async (place) => openPlainQueue(place, settings, full),
  }
}

async function openPlainQueue({ address }: Place, settings: Settings, full: boolean): Promise<Queue> {
  const library = (await import(PACKAGE)) as Plainjob
  const Database = createRequire(import.meta.url)(DRIVER) as new (file: string) => PlainDatabase
  const logging = settings === 'best' ? { logger: SILENT } : {}
  const database = new Database(address)
  const queue = library.defineQueue({ connection: library.better(database), ...logging })
  // The queue has just set it to NORMAL.
  if (full) database.pragma('synchronous = FULL')
  return {
    enqueue: async (input) => void queue.add(TYPE, input),
    enqueueMany: async (inputs) => void queue.addMany(TYPE, inputs),
    work: async (onJob) => startWorking({ library, queue, settings, onJob }),
    async counts() {
      const completed = queue.countJobs({ status: DONE })
      return { completed, waiting: queue.countJobs() - completed }
    },
    close: async () => queue.close(),
  }
}

interface Work {
  readonly library: Plainjob
  readonly queue: PlainQueue
  readonly settings: Settings
  readonly onJob: (input: JobInput) => void
}

function startWorking({ library, queue, settings, onJob }: Work): Working {
  let completed = 0
  let completedAt = nowMs()
  let expected = Number.POSITIVE_INFINITY
  const all = Promise.withResolvers<void>()
  const onCompleted = (): void => {
    completed += 1
    completedAt = nowMs()
    if (completed >= expected) all.resolve()
  }
  const options = settings === 'best' ? { logger: SILENT, pollIntervall: POLL_MS } : {}
  const processor = (job: { readonly data: string }): void => onJob(JSON.parse(job.data) as JobInput)
  const worker = library.defineWorker(TYPE, processor, { queue, onCompleted, ...options })
  const running = { over: Promise.resolve() }
  // Not before the caller has had its turn: the loop of the worker lets nothing else in while there are jobs.
  setImmediate(() => {
    running.over = worker.start()
  })
  return {
    async drained(jobs) {
      if (jobs === null) await noneLeft(queue)
      else {
        expected = jobs
        if (completed < jobs) await all.promise
      }
      return completedAt
    },
    async stop() {
      await worker.stop()
      await running.over
    },
  }
}

async function noneLeft(queue: PlainQueue): Promise<void> {
  while (queue.countJobs() > queue.countJobs({ status: DONE })) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}
