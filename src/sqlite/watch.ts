/**
 * Noticing that another process has committed. The operating system tells of writes to the WAL; but they come before the commit they belong
 * to can be seen (the disk is flushed in between), so after such a word the watch looks again: on a thread of its own that has nothing else
 * to do, ten times a millisecond for as long as a flush takes (nobody else could write meanwhile), else a few times, ever more slowly. A
 * slow poll stands behind it all.
 */
import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { basename, dirname } from 'node:path'
import { systemRuntime } from '../runtime/system-runtime.ts'
import { pauseThread } from './locks.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'

export interface Watch {
  close(): void
}

const POLL_MS = 50
const LOOK_AGAIN_MS = [1, 1, 2, 4, 8, 16]
const BLOCKING_STEP_MS = 0.1
const BLOCKING_LOOKS = 10
/** One commit is told of several times; once it has been seen, the rest of it is no reason to block. */
const SAME_COMMIT_MS = 3

export interface WatchOptions {
  readonly file: string
  /** Called when something may have been committed; says whether it was. */
  readonly look: () => boolean
  /** Whether the thread may be blocked for a moment: it has written nothing itself of late, so the word is of somebody else. */
  readonly mayBlock: () => boolean
}

/** Nobody else can write to a database in memory. */
export function watchCommits({ file, look, mayBlock }: WatchOptions): Watch {
  if (file === ':memory:') return { close: () => undefined }
  const runtime = systemRuntime()
  const chase = new Chase(runtime, look)
  let timer: Timer | null = null
  const poll = (): void => {
    look()
    timer = runtime.after(POLL_MS, poll, { idle: true })
  }
  timer = runtime.after(POLL_MS, poll, { idle: true })
  let seenAt = Number.NEGATIVE_INFINITY
  const watcher = watchFolder(file, () => {
    const blocks = mayBlock() && runtime.monotonic() - seenAt >= SAME_COMMIT_MS
    if (blocks && lookBlocking(look)) seenAt = runtime.monotonic()
    else chase.begin()
  })
  return {
    close: () => {
      timer?.cancel()
      chase.end()
      watcher?.close()
    },
  }
}

function lookBlocking(look: () => boolean): boolean {
  for (let looks = 0; looks < BLOCKING_LOOKS; looks += 1) {
    if (look()) return true
    pauseThread(BLOCKING_STEP_MS)
  }
  return false
}

/** One row of looks at a time; a new word begins it again. */
class Chase {
  readonly #runtime: Runtime
  readonly #look: () => boolean
  #timer: Timer | null = null
  #step = 0

  constructor(runtime: Runtime, look: () => boolean) {
    this.#runtime = runtime
    this.#look = look
  }

  begin(): void {
    this.#step = 0
    if (this.#timer === null) this.#lookNow()
  }

  #lookNow(): void {
    this.#timer = null
    const waitMs = LOOK_AGAIN_MS[this.#step]
    if (this.#look() || waitMs === undefined) return
    this.#step += 1
    this.#timer = this.#runtime.after(waitMs, () => this.#lookNow(), { idle: true })
  }

  end(): void {
    this.#timer?.cancel()
    this.#timer = null
  }
}

/** The folder, not the file: the WAL is removed and made again when the last connection closes. Null where the platform can't: the poll stays. */
function watchFolder(file: string, onWrite: () => void): FSWatcher | null {
  const wal = `${basename(file)}-wal`
  try {
    const watcher = watch(dirname(file), { persistent: false }, (_event, name) => {
      if (name === wal) onWrite()
    })
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    return null
  }
}
