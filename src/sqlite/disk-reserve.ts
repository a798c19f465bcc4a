/**
 * A little room kept aside for the day the disk is full: a file beside the database whose bytes are given back, so that jobs can still be
 * released, cancelled and completed. With a size limit on the database the limit itself is raised a little instead.
 */
import { closeSync, existsSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { MillraceError } from '../core/errors.ts'
import { limitSize } from './driver.ts'
import type { OwnConnection } from './driver.ts'

export interface ReserveOptions {
  readonly connection: OwnConnection
  /** A path, or `:memory:`. */
  readonly file: string
  readonly maxBytes: number | null
  /** Milliseconds from some fixed point. */
  readonly monotonic: () => number
}

/**
 * The first thing that eats into it is the checkpoint of a WAL that has grown to its usual 4 MiB. Once that is through, the WAL begins
 * again from its front, and ending jobs takes next to no room.
 */
const RESERVE_BYTES = 8 * 1024 * 1024
const LARGEST_HEADROOM_BYTES = 1024 * 1024
/** A small limit keeps a small part of itself aside, or it could never be left again. */
const LARGEST_SHARE = 1 / 8
const REFILL_EVERY_MS = 1_000

export class DiskReserve {
  readonly #options: ReserveOptions
  readonly #path: string | null
  readonly #headroom: number
  #openedAt: number | null = null

  constructor(options: ReserveOptions) {
    this.#options = options
    this.#path = options.file === ':memory:' ? null : `${options.file}-reserve`
    this.#headroom = Math.min(LARGEST_HEADROOM_BYTES, Math.floor((options.maxBytes ?? Infinity) * LARGEST_SHARE))
    if (this.#path !== null) fill(this.#path)
  }

  /** Whether the disk was full and has not been seen to have room since. */
  get isOpen(): boolean {
    return this.#openedAt !== null
  }

  /** Gives the room back. False: it has been given back already. */
  open(): boolean {
    if (this.isOpen) return false
    const { connection, maxBytes, monotonic } = this.#options
    this.#openedAt = monotonic()
    if (maxBytes !== null) limitSize(connection, maxBytes + this.#headroom)
    if (this.#path !== null) rmSync(this.#path, { force: true })
    return true
  }

  /** Takes the room again once there is some, which ends the state of being full. */
  refill(): void {
    const { connection, maxBytes, monotonic } = this.#options
    if (this.#openedAt === null || monotonic() - this.#openedAt < REFILL_EVERY_MS) return
    this.#openedAt = monotonic()
    if (this.#path !== null && !fill(this.#path)) return
    if (maxBytes !== null) {
      if (usedBytes(connection) + this.#headroom > maxBytes) return
      limitSize(connection, maxBytes)
    }
    this.#openedAt = null
  }

  refusal(): MillraceError {
    const { file } = this.#options
    return new MillraceError(
      'store-full',
      `The disk (or the size limit) of ${file} is full, so nothing new is taken on. Free some room; Millrace goes on by itself.`,
      { details: { file } },
    )
  }

  /** To be called when the connection is closed: the last one to close removes its `-wal` file, and with it goes the reserve. */
  close(): void {
    if (this.#path !== null && !existsSync(`${this.#options.file}-wal`)) rmSync(this.#path, { force: true })
  }
}

function usedBytes(connection: OwnConnection): number {
  const pages = Number(connection.prepare('PRAGMA page_count').get()?.['page_count'])
  const free = Number(connection.prepare('PRAGMA freelist_count').get()?.['freelist_count'])
  return (pages - free) * Number(connection.prepare('PRAGMA page_size').get()?.['page_size'])
}

/** False: there is no room for it. Several processes may share the one file. */
function fill(path: string): boolean {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.size === RESERVE_BYTES) return true
    const descriptor = openSync(path, 'w')
    try {
      for (let left = RESERVE_BYTES; left > 0;) left -= writeSync(descriptor, Buffer.alloc(left, 1))
    } finally {
      closeSync(descriptor)
    }
    return true
  } catch {
    rmSync(path, { force: true })
    return false
  }
}
