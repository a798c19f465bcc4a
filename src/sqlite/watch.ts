/**
 * Noticing that another process has committed. The operating system tells of writes to the WAL; but they come before the commit they belong
 * to can be seen (the disk is flushed in between), so after such a word the watch looks again, a few times, ever more slowly. A slow poll
 * stands behind it all.
 */
import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { basename, dirname } from 'node:path'
import { systemRuntime } from '../runtime/system-runtime.ts'
import type { Runtime, Timer } from '../runtime/runtime.ts'

export interface Watch {
  close(): void
}

const POLL_MS = 50
const LOOK_AGAIN_MS = [1, 1, 2, 4, 8, 16]

/** Calls `look` when something may have been committed; `look` says whether it was. Nobody else can write to a database in memory. */
export function watchCommits(file: string, look: () => boolean): Watch {
  if (file === ':memory:') return { close: () => undefined }
  const runtime = systemRuntime()
  const chase = new Chase(runtime, look)
  let timer: Timer | null = null
  const poll = (): void => {
    look()
    timer = runtime.after(POLL_MS, poll, { idle: true })
  }
  timer = runtime.after(POLL_MS, poll, { idle: true })
  const watcher = watchFolder(file, () => chase.begin())
  return {
    close: () => {
      timer?.cancel()
      chase.end()
      watcher?.close()
    },
  }
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
