/** What every program does: open a store on the file it is told, and answer words. */
import { systemRuntime } from '../../../src/runtime/system-runtime.ts'
import { openSqliteStore } from '../../../src/sqlite/open.ts'
import { benchOf } from '../../support/contract-bench.ts'
import type { Bench } from '../../support/contract-bench.ts'

export const runtime: ReturnType<typeof systemRuntime> = systemRuntime()

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }

export function readArguments<Arguments>(): Arguments {
  return JSON.parse(process.argv[2] ?? '{}') as Arguments
}

export async function openBench(file: string, thread: boolean = true): Promise<Bench> {
  const store = await openSqliteStore({ url: `sqlite:${file}`, runtime, logger: quiet, thread })
  return benchOf({ store, runtime, advance: () => undefined, close: () => store.close() })
}

export function answer(words: Readonly<Record<string, () => unknown>>): void {
  process.on('message', (word: string) => {
    void Promise.resolve(words[word]?.()).then((reply) => process.send?.(reply ?? null))
  })
  process.send?.('ready')
}
