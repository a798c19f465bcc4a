import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFile } from './file.ts'
import { makeJobs } from './layout.ts'
import { openLean, PLAIN } from './lean.ts'
import { median } from './measure.ts'

const COMMITS = 2_000

/** The median time of a transaction that enqueues one job. */
export function loneCommitMs(): number {
  const file = openFile()
  const store = openLean(file.db, { ...PLAIN, enqueueBy: 'rows', eventsBy: 'rows' })
  const times = makeJobs(COMMITS).map((job) => timed(() => file.transaction(() => store.enqueue([job]))))
  file.remove()
  return median(times)
}

/** The median time of making one appended page durable: the disk alone, for scale. */
export function fdatasyncMs(): number {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-layout-'))
  const handle = openSync(join(directory, 'page'), 'w')
  const page = Buffer.alloc(4_096, 1)
  const times = Array.from({ length: COMMITS }, () =>
    timed(() => {
      writeSync(handle, page)
      fdatasyncSync(handle)
    }),
  )
  closeSync(handle)
  rmSync(directory, { recursive: true })
  return median(times)
}

function timed(work: () => void): number {
  const startedAt = performance.now()
  work()
  return performance.now() - startedAt
}
