import type { DatabaseSync } from 'node:sqlite'
import { countRows } from './file.ts'
import type { Layout, LayoutStore } from './layout.ts'

interface Claimed {
  readonly n: number
  readonly input: string
}

/** The floor: one table, no public id, no events, no guard. Not a queue anyone should use. */
export const bare: Layout = { name: 'A bare', eventsPerJob: 0, open: openBare }

function openBare(db: DatabaseSync): LayoutStore<Claimed> {
  db.exec(`
    CREATE TABLE jobs (n INTEGER PRIMARY KEY, state INTEGER NOT NULL, input TEXT NOT NULL) STRICT;
    CREATE INDEX jobs_ready ON jobs (n) WHERE state = 1;
  `)
  const insert = db.prepare('INSERT INTO jobs (state, input) VALUES (1, ?)')
  const claim = db.prepare(`UPDATE jobs SET state = 2
    WHERE n IN (SELECT n FROM jobs WHERE state = 1 ORDER BY n LIMIT ?) RETURNING n, input`)
  const complete = db.prepare('UPDATE jobs SET state = 3 WHERE n = ? AND state = 2')
  return {
    enqueue(jobs) {
      for (const job of jobs) insert.run(job.input)
    },
    claim: (limit) => claim.all(limit) as unknown as Claimed[],
    complete(claimed) {
      for (const job of claimed) complete.run(job.n)
    },
    count: () => ({
      completed: countRows(db, 'SELECT count(*) AS n FROM jobs WHERE state = 3'),
      events: 0,
    }),
  }
}
