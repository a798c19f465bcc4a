import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { cpus, release, tmpdir, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { nowMs } from './clock.ts'
import { median } from './figures.ts'
import type { Machine } from './results.ts'

const FLUSHES = 200
const PAGE_BYTES = 4_096

/** `postgres`: the version of its server, where it takes part. */
export function readMachine(postgres: string | null): Machine {
  const cores = cpus()
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    platform: `${type()} ${release()} ${process.arch}`,
    node: process.versions.node,
    sqlite: process.versions['sqlite'] ?? 'unknown',
    postgres,
    fdatasyncMs: fdatasyncMs(),
  }
}

/** What every durable commit waits for: one page overwritten and flushed. */
function fdatasyncMs(): number {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  const file = openSync(join(folder, 'page'), 'w')
  const page = Buffer.alloc(PAGE_BYTES, 1)
  const timings = Array.from({ length: FLUSHES }, () => {
    const startedAt = nowMs()
    writeSync(file, page, 0, PAGE_BYTES, 0)
    fdatasyncSync(file)
    return nowMs() - startedAt
  })
  closeSync(file)
  rmSync(folder, { recursive: true })
  return median(timings)
}
