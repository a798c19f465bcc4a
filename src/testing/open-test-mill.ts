import type { EnqueueOptions } from '../client/new-job.ts'
import type { InputAndOptions } from '../client/job-values.ts'
import { checkOptions } from '../client/option-values.ts'
import type { JobDefinition } from '../core/definition.ts'
import { InvalidInputError } from '../core/errors.ts'
import type { Millrace } from '../open-millrace.ts'
import { checkMillraceOptions, openStore } from '../open-store.ts'
import type { MillraceOptions } from '../open-store.ts'
import type { LogFields, Logger } from '../runtime/logger.ts'
import { virtualRuntime } from '../runtime/virtual-runtime.ts'
import type { Handler } from '../worker/handler.ts'
import { drain } from './drain.ts'
import type { DrainOptions, DrainReport } from './drain.ts'
import { Flow } from './flow.ts'
import { MillAssertions } from './mill-assertions.ts'
import { runJob as runToItsEnd } from './run-job.ts'
import type { JobRun } from './run-job.ts'
import { TestClock } from './test-clock.ts'
import { TestProcess } from './test-process.ts'
import type { Surroundings } from './test-process.ts'
import { TestWorker } from './test-worker.ts'
import type { TestWorkerOptions } from './test-worker.ts'

export interface TestMillOptions {
  /** A store of the test's own: an SQLite file, or a PostgreSQL database with a schema of its own. Default `sqlite::memory:`. */
  readonly url?: string
  /** The service that `mill` belongs to. Default: that of the handlers that it works with. */
  readonly service?: string
  /** A whole number: the same one gives the same ids and random numbers. Default 1. */
  readonly seed?: number
  /** The time at the beginning. Default 2026-01-01, 0:00 UTC. */
  readonly startAt?: Date | number
  /** Default: what is logged is only kept in `logs`. */
  readonly logger?: Logger
  /** Anything else that `openMillrace` takes for that store, as `schema`. */
  readonly store?: Omit<MillraceOptions, 'service' | 'logger' | 'runtime' | 'maintenance'>
}

export interface LoggedLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: LogFields
}

interface TestMillParts {
  readonly surroundings: Surroundings
  readonly process: TestProcess
  readonly clock: TestClock
  readonly logs: readonly LoggedLine[]
}

/** A Millrace for one test, with a clock that the test moves and workers that do what they are told. */
export class TestMill extends MillAssertions {
  readonly clock: TestClock
  /** What Millrace has logged. */
  readonly logs: readonly LoggedLine[]
  readonly #surroundings: Surroundings
  /** The latest last. */
  readonly #opened: { end(): Promise<void> }[]
  #closing: Promise<void> | null = null

  /** @internal */
  constructor({ surroundings, process, clock, logs }: TestMillParts) {
    super(process.mill)
    this.clock = clock
    this.logs = logs
    this.#surroundings = surroundings
    this.#opened = [process]
  }

  /** A Millrace on the same store as another process of that service has it: to enqueue from there, or to work there. */
  service(name: string): Millrace {
    const process = new TestProcess(this.#surroundings, name)
    this.#opened.push(process)
    return process.mill
  }

  /**
   * A worker in a process of its own, which takes one job at a time, and only when it is told to. It belongs to the service of its handlers.
   *
   * @throws what `work` throws
   */
  async worker(handlers: readonly Handler[], options: TestWorkerOptions = {}): Promise<TestWorker> {
    const worker = new TestWorker(this.#surroundings, handlers[0]?.definition.service ?? '')
    this.#opened.push(worker)
    await worker.open(handlers, options)
    return worker
  }

  /**
   * Works with the handlers on everything that is due, and on what that enqueues, until there is nothing left for them.
   *
   * @returns what became of the jobs
   * @throws AssertionError if there is no end of them
   */
  async drain(handlers: readonly Handler[], options: DrainOptions = {}): Promise<DrainReport> {
    return drain(this.#surroundings, this.clock, handlers, options)
  }

  /**
   * Enqueues a job and works on it until it is over, moving the clock on to its retries. Jobs of its type that come before it are worked on too.
   *
   * @returns the job at its end, whether it completed or not, and what its handler made
   * @throws AssertionError if nothing can bring it to its end, as while its queue is paused
   */
  async runJob<Definition extends JobDefinition, Results extends object>(
    handler: Handler<Definition, Results>,
    ...args: InputAndOptions<Definition, EnqueueOptions>
  ): Promise<JobRun<Definition>> {
    const parts = { surroundings: this.#surroundings, mill: this.mill, clock: this.clock }
    return runToItsEnd(parts, handler, args)
  }

  /** Ends whatever of it still runs, and closes the store. A second call joins the first. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    for (const opened of this.#opened.toReversed()) await opened.end()
    await this.#surroundings.store.close()
  }
}

/**
 * Opens a Millrace for one test. In memory, unless a URL says otherwise: it is gone when it is closed.
 *
 * @example
 *     await using test = await openTestMill()
 *     await test.mill.enqueue(exportMap, { region: 'FRA' })
 *     await test.drain([exportMapHandler])
 * @throws InvalidInputError for an option; what `openMillrace` throws
 */
export async function openTestMill(options: TestMillOptions = {}): Promise<TestMill> {
  const {
    url = IN_MEMORY,
    service = null,
    seed,
    startAt,
    logger,
    store: storeOptions = {},
  } = checkOptions(options, KNOWN, 'options')
  checkMillraceOptions(service === null ? storeOptions : { ...storeOptions, service })
  const logs: LoggedLine[] = []
  const runtime = virtualRuntime({
    ...(seed === undefined ? {} : { seed: checkSeed(seed) }),
    ...(startAt === undefined ? {} : { startAt: Number(startAt) }),
  })
  const flow = new Flow(runtime)
  const recording = recorder(logs, logger)
  // A file is worked on in this thread: a test has no use for others, and they would not go by its turns.
  const inline = url.startsWith('sqlite:') ? { thread: false } : {}
  const store = await openStore(url, { ...inline, ...storeOptions }, { runtime, logger: recording })
  const surroundings = { store, flow, runtime, logger: recording }
  const clock = new TestClock(runtime, flow)
  return new TestMill({ surroundings, process: new TestProcess(surroundings, service), clock, logs })
}

/** `runJob` on a Millrace of its own, in memory, which is gone afterwards. */
export async function runJob<Definition extends JobDefinition, Results extends object>(
  handler: Handler<Definition, Results>,
  ...args: InputAndOptions<Definition, EnqueueOptions>
): Promise<JobRun<Definition>> {
  await using test = await openTestMill()
  return await test.runJob(handler, ...args)
}

const IN_MEMORY = 'sqlite::memory:'

const KNOWN: Readonly<Record<keyof TestMillOptions, true>> = {
  url: true,
  service: true,
  seed: true,
  startAt: true,
  logger: true,
  store: true,
}

function checkSeed(seed: number): number {
  if (Number.isSafeInteger(seed)) return seed
  throw new InvalidInputError({ path: 'seed', expected: 'a whole number', received: `${seed}` })
}

function recorder(logs: LoggedLine[], logger: Logger | undefined): Logger {
  const line =
    (level: LoggedLine['level']) =>
    (message: string, fields: LogFields = {}): void => {
      logs.push({ level, message, fields })
      logger?.[level](message, fields)
    }
  return { info: line('info'), warn: line('warn'), error: line('error') }
}
