import { randomBytes } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'

/** What the client hands over: ids are made by it, input is JSON text. */
export interface NewJob {
  /** A UUIDv7 as 32 hexadecimal digits. */
  readonly id: string
  readonly input: string
}

/** One layout on one connection. The caller holds the transaction. */
export interface LayoutStore<Claimed> {
  enqueue(jobs: readonly NewJob[]): void
  claim(limit: number): Claimed[]
  complete(claimed: readonly Claimed[]): void
  /** Jobs that ended, and events that were written: a benchmark that lost work measured nothing. */
  count(): { completed: number; events: number }
}

export interface Layout {
  readonly name: string
  readonly eventsPerJob: number
  readonly pragmas?: readonly string[]
  readonly inputBytes?: number
  open(db: DatabaseSync): LayoutStore<unknown>
}

export const NOW = 1_760_000_000_000
export const LANE = 7

export function makeJobs(count: number, inputBytes = 60): NewJob[] {
  return Array.from({ length: count }, (_, index) => ({ id: uuidv7(index), input: makeInput(index, inputBytes) }))
}

function uuidv7(index: number): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(NOW + Math.floor(index / 50), 0, 6)
  bytes.writeUInt8(0x70 | (bytes.readUInt8(6) & 0x0f), 6)
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8)
  return bytes.toString('hex')
}

function makeInput(index: number, bytes: number): string {
  const input = JSON.stringify({ region: 'FRA', page: index, format: 'png', note: '' })
  return input.replace('"note":""', `"note":"${'x'.repeat(Math.max(0, bytes - input.length))}"`)
}

/** 52 random bits: a number that JavaScript, JSON and SQLite all keep exactly. */
export function randomHolder(): number {
  return Number(randomBytes(8).readBigUInt64BE() >> 12n)
}
