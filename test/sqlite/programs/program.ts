/** What every program does: open a store on the file it is told, and answer words. */
import { systemRuntime } from '../../../src/runtime/system-runtime.ts'
import { openSqliteStore } from '../../../src/sqlite/open.ts'
import { benchOf } from '../../support/contract-bench.ts'
import type { Bench } from '../../support/contract-bench.ts'

export const runtime: ReturnType<typeof systemRuntime> = systemRuntime()

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** What a program may be told; each reads what it needs. */
export interface ProgramArguments {
  readonly file: string
  readonly thread: boolean
  readonly leaseMs: number
  readonly everyMs: number
  readonly ending: 'enqueue' | 'enqueue-close' | 'enqueue-transaction' | 'idle'
}

const DEFAULTS: ProgramArguments = { file: '', thread: true, leaseMs: 30_000, everyMs: 100, ending: 'idle' }

export function readArguments(): ProgramArguments {
  const given = JSON.parse(process.argv[2] ?? '{}') as Partial<ProgramArguments>
  return { ...DEFAULTS, ...given }
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
