/** A store in a file of its own, for tests of what only the SQLite store does. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import type { Logger } from '../../src/runtime/logger.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import { openSqliteStore } from '../../src/sqlite/open.ts'
import type { SqliteOptions } from '../../src/sqlite/open.ts'
import { benchOf } from '../support/contract-bench.ts'
import type { Bench } from '../support/contract-bench.ts'

export interface SqliteBench extends Bench {
  readonly file: string
  readonly url: string
  /** What the store has logged, a line each. */
  readonly logged: readonly string[]
}

export const runtime: Runtime = systemRuntime()

/** A new folder that is removed when the test ends. */
export function newFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function newFile(context: TestContext): string {
  return join(newFolder(context), 'jobs.db')
}

export type BenchOptions = Partial<SqliteOptions> & { readonly file?: string }

/** Opens a store, on a new file unless one is named; it is closed when the test ends. */
export async function openSqlite(
  context: TestContext,
  { file = newFile(context), ...options }: BenchOptions = {},
): Promise<SqliteBench> {
  const logged: string[] = []
  const url = `sqlite:${file}`
  const store = await openSqliteStore({ url, runtime, logger: collector(logged), ...options })
  context.after(() => store.close())
  const bench = benchOf({
    store,
    runtime,
    advance: () => {
      throw new Error('this store runs on the real clock')
    },
    close: () => store.close(),
  })
  return { ...bench, file, url: options.url ?? url, logged }
}

function collector(logged: string[]): Logger {
  const log = (message: string): void => {
    logged.push(message)
  }
  return { info: log, warn: log, error: log }
}

/** Resolves after so many milliseconds of real time: only for what must not happen meanwhile, and for what happens by itself. */
export function elapsed(ms: number): Promise<void> {
  return new Promise((resolve) => {
    runtime.after(ms, resolve)
  })
}

/** Resolves once it is true; rejects after `withinMs`. */
export async function until(what: string, isTrue: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const startedAt = runtime.monotonic()
  while (!(await isTrue())) {
    if (runtime.monotonic() - startedAt > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`)
    await elapsed(2)
  }
}
