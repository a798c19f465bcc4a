/** Handlers that never stop by themselves, for threads and processes to import. */
import { defineJob, handle } from '../built-package.ts'
import type { Handler, HandlerContext, JobDefinition } from '../built-package.ts'
import { SERVICE } from '../contenders/millrace.ts'

export const GRACE_MS = 50

export type Cell = 'thread' | 'process'

const grace = { service: SERVICE, cancelGrace: GRACE_MS } as const

export const SPINNING: Readonly<Record<Cell, JobDefinition>> = {
  thread: defineJob('bench.spinning-thread', grace),
  process: defineJob('bench.spinning-process', grace),
}

function spin({ log }: HandlerContext): never {
  log.info('at it')
  for (;;);
}

function spinning(isolation: Cell): Handler {
  return handle(SPINNING[isolation], { module: import.meta.url, isolation }).phase('run', spin)
}

export const spinningThread: Handler = spinning('thread')
export const spinningProcess: Handler = spinning('process')
