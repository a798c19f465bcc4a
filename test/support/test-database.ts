/** Where the jobs of one test are kept: a SQLite file, or a schema of a PostgreSQL server. What differs between the two is behind this. */
import type { MillraceOptions } from '../../src/index.ts'
import type { Logger } from '../../src/runtime/logger.ts'
import type { Runtime } from '../../src/runtime/runtime.ts'
import type { Store } from '../../src/store/store.ts'

interface OpenStoreParams {
  readonly runtime: Runtime
  readonly logger: Logger
  /** One BigInt64 of epoch milliseconds, which is the store's time. Absent: the database's own. */
  readonly clock?: SharedArrayBuffer
  /** False: without a thread, where the store has one. */
  readonly thread?: boolean
}

type Row = Readonly<Record<string, unknown>>

/** A connection as an application has one, with tables of its own beside Millrace's. */
export interface OwnConnection {
  /** What `enqueueIn` and `transaction` are handed. */
  readonly connection: object
  readonly run: (sql: string) => Promise<void>
  readonly rows: (sql: string) => Promise<readonly Row[]>
  readonly close: () => Promise<void>
}

type TableName =
  | 'jobs'
  | 'events'
  | 'types'
  | 'sessions'
  | 'keys'
  | 'labels'
  | 'phases'
  | 'attempts'
  | 'artifacts'
  | 'artifact_chunks'
  | 'deleted_jobs'
  | 'meta'

export interface TestDatabase {
  readonly url: string
  /** What `openMillrace` is told beside the URL. */
  readonly options: MillraceOptions
  /** What the command `millrace` is told. */
  readonly flags: readonly string[]
  /** The name that SQL has for one of Millrace's tables. */
  readonly table: (name: TableName) => string
  readonly openStore: (params: OpenStoreParams) => Promise<Store>
  readonly connect: () => Promise<OwnConnection>
  /** Fails unless the store's own layout is whole. */
  readonly assertSound: () => Promise<void>
  /** Removes it. Whoever had it open has closed it. */
  readonly drop: () => Promise<void>
}
