/**
 * The turn to clean up, which one process of all has at a time. It is taken in the store, by its clock; whoever has it gives a sign of life
 * every few seconds, and leaves its report, which those are given who would have cleaned up too. A process that has died with the turn
 * holds up the others until its last sign of life is too old. Two at once would do no harm: each change is made by whoever comes first.
 */
import { DEFAULTS } from '../core/limits.ts'
import type { CleanupTurn } from '../core/cleanup-turn.ts'
import { Pauses } from '../runtime/pause.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'
import { beatEveryMs } from '../store/sessions.ts'
import type { Store } from '../store/store.ts'
import type { CleanupReport } from './cleaning.ts'

export interface TurnOptions {
  readonly store: Store
  readonly runtime: Runtime
}

type Clean = () => Promise<CleanupReport>

const LOOK_MS = 1_000

/** Cleans up in a turn. Null: it is not time yet, or another process is at it. */
export async function cleanUpInTime(
  options: TurnOptions,
  signal: AbortSignal,
  clean: Clean,
): Promise<CleanupReport | null> {
  const key = options.runtime.key()
  const request = { key, isWhole: false, apartMs: DEFAULTS.cleanupApartMs, leaseMs: DEFAULTS.cleanupLeaseMs }
  const turn = await options.store.cleanupTurns.begin(request)
  return turn.key === key ? inTurn(options, key, { signal, clean }) : null
}

/**
 * Cleans the whole store up, or waits for another process that does. One that looks at a share of it is waited for too, but does not do in its
 * stead. After a process that takes too long it is done without a turn.
 *
 * @returns the report, of whoever did it; null: it was told to stop before it had begun
 */
export async function cleanUpNow(
  options: TurnOptions,
  signal: AbortSignal,
  clean: Clean,
): Promise<CleanupReport | null> {
  const { store, runtime } = options
  const key = runtime.key()
  const request = { key, isWhole: true, apartMs: 0, leaseMs: DEFAULTS.cleanupLeaseMs }
  const until = runtime.monotonic() + DEFAULTS.cleanupJoinMs
  while (!signal.aborted && runtime.monotonic() < until) {
    const turn = await store.cleanupTurns.begin(request)
    if (turn.key === key) return inTurn(options, key, { signal, clean })
    const report = await waitFor(options, turn, { signal, until })
    if (report !== null && turn.isWhole) return report
  }
  return signal.aborted ? null : clean()
}

interface TurnWork {
  readonly signal: AbortSignal
  readonly clean: Clean
}

async function inTurn(options: TurnOptions, key: number, { signal, clean }: TurnWork): Promise<CleanupReport> {
  const stopKeeping = keepTurn(options, key)
  let report: string | null = null
  try {
    const done = await clean()
    if (!signal.aborted) report = JSON.stringify(done)
    return done
  } finally {
    stopKeeping()
    // Where this can't be told, the others find that there is no sign of life any more.
    await options.store.cleanupTurns.end(key, report).catch(() => undefined)
  }
}

/** One sign of life at a time, however long the store takes for it. Returns the way out. */
function keepTurn({ store, runtime }: TurnOptions, key: number): () => void {
  const leaseMs = DEFAULTS.cleanupLeaseMs
  let timer: Timer | null = null
  let isOver = false
  const wait = (): void => {
    if (!isOver) timer = runtime.after(beatEveryMs(leaseMs), () => void beat(), { idle: true })
  }
  const beat = async (): Promise<void> => {
    // Where it can't be given, the next may be.
    await store.cleanupTurns.keep(key, leaseMs).catch(() => undefined)
    wait()
  }
  wait()
  return () => {
    isOver = true
    timer?.cancel()
  }
}

interface Patience {
  readonly signal: AbortSignal
  /** By the clock that never jumps. */
  readonly until: number
}

/** Waits until the turn is over, and looks when anything has changed, or after a second. Null: it left no report, or was not waited for any more. */
async function waitFor(
  { store, runtime }: TurnOptions,
  { key }: CleanupTurn,
  { signal, until }: Patience,
): Promise<CleanupReport | null> {
  const pauses = new Pauses()
  let hasChanged = false
  const look = (): void => {
    hasChanged = true
    pauses.endAll()
  }
  const unsubscribe = store.onChange(look)
  signal.addEventListener('abort', look)
  try {
    while (!signal.aborted && runtime.monotonic() < until) {
      hasChanged = false
      const [turn, now] = await Promise.all([store.cleanupTurns.latest(), store.now()])
      if (turn?.key !== key) return null
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- whoever had the turn left a report as text
      if (turn.report !== null) return JSON.parse(turn.report) as CleanupReport
      if (turn.keptUntil === null || turn.keptUntil <= now) return null
      if (!hasChanged) await pauses.wait(runtime, LOOK_MS)
    }
    return null
  } finally {
    unsubscribe()
    signal.removeEventListener('abort', look)
  }
}
