/** The jobs of a simulated world, and handlers that do everything that handlers do. */
import { defineJob } from '../../src/client/define-job.ts'
import { JobCancelledError, LeaseLostError, UnrecoverableError } from '../../src/core/errors.ts'
import type { Handler } from '../../src/worker/handler.ts'
import { handle } from '../../src/worker/handler.ts'
import type { HandlerContext } from '../../src/worker/handler-context.ts'

/** How a handler behaves. */
export type Manner =
  | 'quick'
  | 'slow'
  | 'heedful'
  | 'signal'
  | 'flaky'
  | 'hopeless'
  | 'fatal'
  | 'deaf'
  | 'endless'
  | 'extending'
  | 'telling'
  | 'writing'
  | 'blocking'
  | 'killing'

/** A type, so that it counts as `Json`. */
export type MillInput = { readonly manner: Manner; readonly ms: number }

/** What a phase leaves behind: who did it. */
export type Mark = { readonly phase: string; readonly fence: number; readonly generation: number }

const retry = { maxAttempts: 3, backoff: { base: '200ms', max: '2s' } } as const
/** Of those that are driven by hand: so short that drivers who fall silent are found out while their world lasts. */
const lock = { duration: '2s', quiet: '3s' } as const
const short = { service: 'mill', retry, timeout: '5s', cancelGrace: '800ms', maxStrikes: 2, lock } as const

const restarted = { duration: '3s', quiet: '1s', progressed: 'requeue' } as const
const sack = defineJob('sack', { service: 'mill', retry, timeout: '20s', cancelGrace: '500ms', lock: restarted })
const loaf = defineJob('loaf', { ...short, queue: 'bakery' })
export const PHASES = ['grind', 'sift', 'pack'] as const
const grain = defineJob('grain', { ...short, phases: PHASES })
/** Of the next version of the program, which has one phase more. */
const NEXT_PHASES = ['grind', 'weigh', 'sift', 'pack'] as const
const nextGrain = defineJob('grain', { ...short, phases: NEXT_PHASES })

export const QUEUES = ['sack', 'bakery', 'grain'] as const

export type Definition = typeof sack | typeof loaf | typeof grain

/** What is enqueued where there are workers for everything, and where there are workers for the quick type alone. */
export const EVERYTHING: readonly Definition[] = [sack, loaf, grain, grain]
export const ONLY_QUICK: readonly Definition[] = [sack]

/** One life of a process, as its handlers know it. */
export interface Surroundings {
  /** Resolves after that long, if the process is still going. */
  readonly wait: (ms: number) => Promise<void>
  /** The thread is held up for so long: nothing of the process happens meanwhile but its beats. */
  readonly block: (ms: number) => Promise<void>
  readonly crash: () => void
  readonly begins: (context: HandlerContext) => void
  /** A phase has been done, whatever the store makes of it. */
  readonly did: (context: HandlerContext) => void
  readonly stoppedByCancel: () => void
  readonly endedLate: () => void
}

/** The handlers of a process that runs the present version of the program, or the next. */
export function handlersOf(around: Surroundings, isNext: boolean): readonly Handler[] {
  const run = (context: HandlerContext): Promise<Mark> | Mark => work(context, around)
  return [sackHandler(around), handle(loaf, run), isNext ? nextGrainHandler(run) : grainHandler(run)]
}

export function sackHandler(around: Surroundings): Handler {
  return handle(sack, (context) => work(context, around))
}

type Run = (context: HandlerContext) => Promise<Mark> | Mark

function grainHandler(run: Run): Handler {
  return handle(grain, {}).phase('grind', run).phase('sift', run).phase('pack', run)
}

function nextGrainHandler(run: Run): Handler {
  return handle(nextGrain, {}).phase('grind', run).phase('weigh', run).phase('sift', run).phase('pack', run)
}

function work(context: HandlerContext, around: Surroundings): Promise<Mark> | Mark {
  around.begins(context)
  const { manner, ms } = context.input as MillInput
  const done = MANNER_OF[manner](context, around, ms)
  return done === undefined ? leave(context, around) : done.then(() => leave(context, around))
}

function leave(context: HandlerContext, around: Surroundings): Mark {
  const { phase, fence, generation } = context
  around.did(context)
  return { phase, fence, generation }
}

type Behave = (context: HandlerContext, around: Surroundings, ms: number) => Promise<void> | undefined

const MANNER_OF: Readonly<Record<Manner, Behave>> = {
  quick: () => undefined,
  slow: async (_context, { wait }, ms) => wait(ms),
  heedful: async ({ checkCancellation, progress }, around, ms) => {
    for (let step = 1; step <= 10; step += 1) {
      await around.wait(ms / 10)
      heeding(around, checkCancellation)
      progress(step * 10)
    }
  },
  signal: async ({ signal }, around, ms) => {
    const { promise, reject } = Promise.withResolvers<never>()
    signal.addEventListener('abort', () => reject(signal.reason as Error))
    try {
      await Promise.race([around.wait(ms), promise])
    } catch (error) {
      if (error instanceof JobCancelledError) around.stoppedByCancel()
      throw error
    }
  },
  flaky: async ({ attempt }, { wait }, ms) => {
    await wait(ms / 4)
    if (attempt % 2 === 1) throw Object.assign(new Error('the sieve is clogged'), { code: 'ECONNRESET' })
  },
  hopeless: async (_context, { wait }, ms) => {
    await wait(ms / 4)
    throw new Error('the wheel does not turn')
  },
  fatal: async (_context, { wait }, ms) => {
    await wait(ms / 4)
    throw new UnrecoverableError('the sack is empty')
  },
  deaf: async ({ progress, log, extend }, around, ms) => {
    await around.wait(3_000 + 3 * ms)
    try {
      progress(90)
      log.info('nearly done')
      await extend('1s')
    } catch (error) {
      if (error instanceof LeaseLostError) around.endedLate()
      throw error
    }
  },
  endless: () => new Promise(() => {}),
  extending: async ({ extend }, { wait }, ms) => {
    await wait(ms)
    await extend('8s')
    await wait(5_000)
  },
  telling: async ({ progress, log, artifact }, { wait }, ms) => {
    for (let step = 1; step <= 5; step += 1) {
      await wait(ms / 5)
      progress(step * 20, { step })
      log.info('another step', { step })
    }
    await artifact.write('steps.txt', 'five of them')
  },
  writing: async ({ artifact, phase, fence }, { wait }, ms) => {
    for (let step = 1; step <= 4; step += 1) {
      await artifact.write(`sheet-${step}.txt`, `${phase} ${fence} ${step}`)
      await wait(ms / 4)
    }
  },
  blocking: async ({ checkCancellation }, around, ms) => {
    await around.block(4 * ms)
    heeding(around, checkCancellation)
  },
  killing: async (_context, { crash, wait }, ms) => {
    await wait(ms / 4)
    crash()
    await new Promise(() => {})
  },
}

function heeding({ stoppedByCancel }: Surroundings, check: () => void): void {
  try {
    check()
  } catch (error) {
    if (error instanceof JobCancelledError) stoppedByCancel()
    throw error
  }
}
