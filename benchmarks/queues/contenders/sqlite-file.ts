/** What all contenders share that keep their jobs in an SQLite file. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Contender, Place } from './contender.ts'

type FileStore = Pick<Contender, 'host' | 'bytes' | 'bytesOf' | 'unavailable'>

/** A file is there as soon as it is opened, and nothing has to be stopped. */
export const inSqliteFile: FileStore = {
  bytesOf: 'disk',
  unavailable: async () => null,
  host: async (folder) => ({
    place: { folder, address: join(folder, 'jobs.db'), emptyBytes: 0 },
    stop: async () => undefined,
  }),
  bytes: async (place) => {
    checkpoint(place)
    return statSync(place.address).size
  },
}

/** Moves everything from the write-ahead log into the file. Nobody may be in a transaction. */
export function checkpoint({ address }: Place): void {
  const db = new DatabaseSync(address)
  const outcome = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()
  db.close()
  if (outcome?.['busy'] !== 0) throw new Error('somebody still holds the database, so that it was not checkpointed')
}
