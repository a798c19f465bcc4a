/** Noticing that another process has committed: the operating system tells of writes to the WAL, and a slow poll stands behind it. */
import { watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { basename, dirname } from 'node:path'
import { systemRuntime } from '../runtime/system-runtime.ts'
import type { Timer } from '../runtime/runtime.ts'

export interface Watch {
  close(): void
}

const POLL_MS = 50

/** Calls `look` when something may have been committed; `look` finds out. Nobody else can write to a database in memory. */
export function watchCommits(file: string, look: () => void): Watch {
  if (file === ':memory:') return { close: () => undefined }
  const runtime = systemRuntime()
  let timer: Timer | null = null
  const poll = (): void => {
    look()
    timer = runtime.after(POLL_MS, poll, { idle: true })
  }
  timer = runtime.after(POLL_MS, poll, { idle: true })
  const watcher = watchFolder(file, look)
  return {
    close: () => {
      timer?.cancel()
      watcher?.close()
    },
  }
}

/** The folder, not the file: the WAL is removed and made again when the last connection closes. Null where the platform can't: the poll stays. */
function watchFolder(file: string, look: () => void): FSWatcher | null {
  const wal = `${basename(file)}-wal`
  try {
    const watcher = watch(dirname(file), { persistent: false }, (_event, name) => {
      if (name === wal) look()
    })
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    return null
  }
}
