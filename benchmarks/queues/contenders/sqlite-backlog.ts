/** A great many jobs in a Millrace's SQLite file, written by a few statements instead of by a million calls. */
import { DatabaseSync } from 'node:sqlite'
import { defineJob, handle, openMillrace } from '../../../src/index.ts'
import { plainJob, SERVICE } from './millrace.ts'
import type { BacklogKind, Place } from './contender.ts'

/** The input of its jobs: no job of a run has that number. */
const BACKLOG_INPUT = { index: -1 }
const LESS_URGENT = 100
const otherJob = defineJob('bench.other', { service: SERVICE })

/** The first of them comes about as any job does; the others are copies of its rows. */
export async function addBacklog(place: Place, kind: BacklogKind, count: number): Promise<void> {
  const mill = await openMillrace(`sqlite:${place.address}`)
  const definition = kind === 'other' ? otherJob : plainJob
  await mill.enqueue(definition, BACKLOG_INPUT, { priority: kind === 'behind' ? LESS_URGENT : 0 })
  if (kind === 'finished') {
    const worker = await mill.work([handle(plainJob, () => undefined)])
    await worker.idle()
  }
  await mill.close()
  copyOnlyJob(place, count - 1)
}

function copyOnlyJob({ address }: Place, count: number): void {
  const db = new DatabaseSync(address)
  const columns = columnsOf(db, 'millrace_jobs', ['n', 'id'])
  const eventColumns = columnsOf(db, 'millrace_events', ['position', 'job']).map((column) => `e.${column}`)
  db.exec(`
    BEGIN IMMEDIATE;
    INSERT INTO millrace_jobs (id, ${columns.join(', ')})
      WITH RECURSIVE k (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < ${count})
      SELECT unhex(printf('%032x', i)), ${columns.join(', ')} FROM k CROSS JOIN (SELECT * FROM millrace_jobs);
    INSERT INTO millrace_events (job, ${eventColumns.join(', ').replaceAll('e.', '')})
      SELECT j.n, ${eventColumns.join(', ')} FROM millrace_jobs AS j CROSS JOIN (SELECT * FROM millrace_events) AS e
      WHERE j.n <> e.job ORDER BY j.n, e.seq;
    COMMIT;
  `)
  db.close()
}

function columnsOf(db: DatabaseSync, table: string, without: readonly string[]): string[] {
  const names = db.prepare('SELECT name FROM pragma_table_info(?)').all(table)
  return names.map(({ name }) => String(name)).filter((name) => !without.includes(name))
}
