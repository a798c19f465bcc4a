/** What a test of a promise begins with: a Millrace on a real database, as an application has it, and whatever else works on that database. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import { openMillrace } from '../../src/index.ts'
import type { Handler, LogFields, Logger, Millrace, MillraceOptions, Worker, WorkOptions } from '../../src/index.ts'
import { pause } from '../../src/runtime/pause.ts'
import { Service } from '../../src/runtime/service.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import type { Store } from '../../src/store/store.ts'
import { ChildProgram, COMMAND, programNamed } from './child-program.ts'
import { newTestDatabase } from './new-test-database.ts'
import { dumpStore } from './store-dump.ts'
import type { StoreDump } from './store-dump.ts'
import type { OwnConnection, TestDatabase } from './test-database.ts'

interface LogLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: LogFields
}

export interface TestMill {
  readonly mill: Millrace
  /** Where the jobs are kept. */
  readonly database: TestDatabase
  /** For files of the test. */
  readonly folder: string
  /** What the Millraces of this process have logged. */
  readonly logs: readonly LogLine[]
  /** Another Millrace on the same database, with threads and connections of its own, as another process has; by another way, if a URL says so. */
  readonly open: (options?: MillraceOptions, url?: string) => Promise<Millrace>
  /** A worker that is given a short time to come to rest when the test ends. */
  readonly work: (handlers: readonly Handler[], options?: WorkOptions) => Promise<Worker>
  /** The store itself, for what no public door lets one do. */
  readonly openStore: () => Promise<Store>
  /** A connection of the application's own. */
  readonly connect: () => Promise<OwnConnection>
  /** Everything that the store lets one see. */
  readonly dump: () => Promise<StoreDump>
  /** Starts a program of `test/guarantees/programs`, which is handed where the jobs are beside the facts; these may say otherwise. */
  readonly start: (program: string, facts?: object, command?: readonly string[]) => ChildProgram
  /** Starts the command `millrace` on the same database. */
  readonly command: (...args: readonly string[]) => ChildProgram
  /** Looks after the store as often as that, so that the dead are found soon. */
  readonly sweepEvery: (ms: number) => void
}

/** A machine that stood still for so long has held up the beats of those who live too: they come first, as they do for the product's own sweeps. */
const HELD_UP_MS = 100
const BEATS_FIRST_MS = 500
/** How long a worker may take to come to rest when a test ends. */
const DRAIN = '1s'

/**
 * Everything is closed, killed and removed when the test ends, the latest first.
 *
 * @param newDatabase where the jobs are to be kept. Default: where MILLRACE_TEST_STORE says
 */
export async function openTestMill(
  context: TestContext,
  options: MillraceOptions = {},
  newDatabase: (folder: string) => Promise<TestDatabase> = newTestDatabase,
): Promise<TestMill> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  const database = await newDatabase(folder)
  const { url } = database
  const logs: LogLine[] = []
  const cleanups: (() => Promise<unknown>)[] = [() => database.drop()]
  context.after(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup()
    rmSync(folder, { recursive: true, maxRetries: 5 })
  })
  const open = async (more: MillraceOptions = {}, at: string = url): Promise<Millrace> => {
    const opened = await openMillrace(at, {
      logger: recordingLogger(logs),
      ...database.options,
      ...options,
      ...more,
    })
    // A handler that a test leaves running is no fault of its closing.
    cleanups.push(() => opened.close().catch(() => undefined))
    return opened
  }
  const openStore = async (): Promise<Store> => {
    const store = await database.openStore({ runtime: systemRuntime(), logger: recordingLogger(logs) })
    cleanups.push(() => store.close())
    return store
  }
  const connect = async (): Promise<OwnConnection> => {
    const connection = await database.connect()
    cleanups.push(() => connection.close())
    return connection
  }
  const mill = await open()
  return {
    mill,
    database,
    folder,
    logs,
    open,
    openStore,
    connect,
    work: (handlers, more = {}) => mill.work(handlers, { drain: DRAIN, ...more }),
    dump: () => dumpDatabase(database),
    start: (program, facts = {}, command = []) => {
      const handed = JSON.stringify({ url, store: database.options, ...facts })
      const child = new ChildProgram(programNamed(program), [handed], command)
      cleanups.push(() => child.kill())
      return child
    },
    command: (...args) => {
      const child = new ChildProgram(COMMAND, [...args, '--db', url, ...database.flags])
      cleanups.push(() => child.kill())
      return child
    },
    sweepEvery: (everyMs) => {
      const runtime = systemRuntime()
      let dueAt = Number.POSITIVE_INFINITY
      const pass = async (): Promise<void> => {
        while (runtime.monotonic() - dueAt > HELD_UP_MS) {
          dueAt = runtime.monotonic() + BEATS_FIRST_MS
          await pause(runtime, BEATS_FIRST_MS)
        }
        await mill.maintenance.runOnce()
        dueAt = runtime.monotonic() + everyMs
      }
      const sweeper = new Service({
        name: 'sweeper',
        runtime,
        logger: recordingLogger(logs),
        everyMs,
        pass,
      })
      sweeper.start()
      cleanups.push(() => sweeper.stop())
    },
  }
}

async function dumpDatabase(database: TestDatabase): Promise<StoreDump> {
  const store = await database.openStore({ runtime: systemRuntime(), logger: recordingLogger([]), thread: false })
  try {
    return await dumpStore(store)
  } finally {
    await store.close()
  }
}

function recordingLogger(logs: LogLine[]): Logger {
  const record =
    (level: LogLine['level']) =>
    (message: string, fields: LogFields = {}): void => {
      logs.push({ level, message, fields })
    }
  return { info: record('info'), warn: record('warn'), error: record('error') }
}
