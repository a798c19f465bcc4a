/** Handlers that run in threads and processes, and behave as badly as they are told. */
import { execFileSync } from 'node:child_process'
import { threadId } from 'node:worker_threads'

// Not from `index.ts`: each thread and process loads this file, and little else.
import { defineJob } from '../../../src/client/define-job.ts'
import { handle } from '../../../src/worker/handler.ts'
import type { Handler } from '../../../src/worker/handler.ts'
import type { HandlerContext } from '../../../src/worker/handler-context.ts'

const later = { maxAttempts: 2, backoff: { base: '1h', jitter: 0 } } as const
const hasty = { service: 'smithy', cancelGrace: '50ms', retry: later } as const
const patient = { ...hasty, cancelGrace: '10m' } as const
// Time enough for a process to come up in, on a slow machine too.
const inTime = { ...hasty, timeout: '2s', retry: { maxAttempts: 1 } } as const

export const JOBS = { thread: defineJob('iron.thread', hasty), process: defineJob('iron.process', hasty) }

/** Their handlers have all the time they want to stop. */
export const PATIENT_JOBS = {
  thread: defineJob('gold.thread', patient),
  process: defineJob('gold.process', patient),
}

/** Their handlers take too long. */
export const TIMED_JOBS = {
  thread: defineJob('tin.thread', inTime),
  process: defineJob('tin.process', inTime),
}

export type IsolatedKind = keyof typeof JOBS

/** What a handler is told to do. */
export type Act =
  | 'where'
  | 'spin'
  | 'ask'
  | 'heed'
  | 'ignore'
  | 'swallow'
  | 'sleep'
  | 'write for ever'
  | 'leak a failing timer'
  | 'leak a late writer'
  | 'set off the leak'
  | 'exit'
  | 'throw astray'
  | 'eat memory'

export interface Whereabouts {
  readonly pid: number
  readonly threadId: number
}

async function* endless(): AsyncGenerator<Uint8Array> {
  for (;;) yield new Uint8Array(1_000)
}

const never = new Promise<never>(() => {})

/** Tells where it is, in the job's own history, before it does what it was told. */
async function forge(context: HandlerContext): Promise<unknown> {
  const act = context.input as Act
  const here: Whereabouts = { pid: process.pid, threadId }
  context.log.info('at it', { ...here })
  return act === 'where' ? here : ACTS[act](context)
}

const ACTS: Readonly<Record<Exclude<Act, 'where'>, (context: HandlerContext) => unknown>> = {
  spin: () => {
    for (;;) Math.imul(7, 7)
  },
  ask: ({ checkCancellation }) => {
    for (;;) checkCancellation()
  },
  heed: ({ signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    }),
  ignore: () => never,
  swallow: async ({ checkCancellation }) => {
    for (;;) {
      try {
        checkCancellation()
      } catch {
        // And on it goes.
      }
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
    }
  },
  'write for ever': ({ artifact }) => artifact.write('endless.bin', endless()),
  sleep: () => execFileSync('sleep', ['3600']),
  'leak a failing timer': ({ input }) => {
    const tick = (): void => {
      if (nextRuns) throw new Error('nobody catches this')
      setImmediate(tick)
    }
    tick()
    return input
  },
  'leak a late writer': ({ progress, log, artifact, checkCancellation, jobId }) => {
    late = async () => {
      const writes = {
        progress: () => progress(50),
        log: () => log.info('too late'),
        artifact: () => artifact.write('late.txt', 'too late'),
        checkCancellation: () => checkCancellation(),
      }
      const codes: Record<string, unknown> = { jobId }
      for (const [name, write] of Object.entries(writes)) {
        try {
          await write()
          codes[name] = 'written'
        } catch (error) {
          codes[name] = (error as { readonly code?: unknown }).code
        }
      }
      return codes
    }
    return null
  },
  'set off the leak': async () => {
    nextRuns = true
    return late === null ? never : late()
  },
  exit: () => process.exit(3),
  'throw astray': () => {
    queueMicrotask(() => {
      throw new Error('a stray error')
    })
    return never
  },
  'eat memory': () => {
    const eaten: unknown[] = []
    for (;;) eaten.push(Array.from({ length: 100_000 }, (_, index) => ({ index })))
  },
}

/** Left by one job for the next in the same thread or process. */
let nextRuns = false
let late: (() => Promise<unknown>) | null = null

export const HANDLERS: readonly Handler[] = [JOBS, PATIENT_JOBS, TIMED_JOBS].flatMap((jobs) => [
  handle(jobs.thread, { module: import.meta.url, isolation: 'thread' }).phase('run', forge as () => Promise<null>),
  handle(jobs.process, { module: import.meta.url, isolation: 'process' }).phase('run', forge as () => Promise<null>),
])
