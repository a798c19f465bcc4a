/** How the lean layout is laid out and written. Each variant changes one of these. */
export interface LeanOptions {
  readonly state: 'integer' | 'text'
  readonly bodies: 'inline' | 'apart'
  readonly checks: boolean
  readonly events: 'unique' | 'no-seq-index' | 'without-rowid'
  readonly readyIndex: 'with-n' | 'without-n'
  /** How rows reach the database: one statement for a batch through `json_each`, or a prepared statement a row. */
  readonly enqueueBy: 'json' | 'rows'
  readonly completeBy: 'json' | 'rows'
  /** `select` copies events from the job rows that the same transaction touches. */
  readonly eventsBy: 'json' | 'rows' | 'select'
  /** Whether a completion reads back what it changed, or only how many. */
  readonly returning: boolean
  /** One random holder for a claimed batch, or one for each job. */
  readonly holder: 'batch' | 'job'
}

export interface LeanNames {
  readonly queued: string
  readonly running: string
  readonly completed: string
}

export function stateNames(options: LeanOptions): LeanNames {
  if (options.state === 'text') return { queued: `'queued'`, running: `'running'`, completed: `'completed'` }
  return { queued: '2', running: '3', completed: '5' }
}

export function leanSchema(options: LeanOptions): string {
  const { queued, running } = stateNames(options)
  const finals = options.state === 'text' ? `state IN ('completed', 'failed', 'cancelled')` : 'state >= 5'
  const checks = `,
    CHECK (length(id) = 16),
    CHECK ((state = ${running}) = (holder IS NOT NULL)),
    CHECK ((${finals}) = (finished_at IS NOT NULL)),
    CHECK (progress BETWEEN 0 AND 100)`
  return `
  CREATE TABLE millrace_jobs (
    n INTEGER PRIMARY KEY, id BLOB NOT NULL, lane INTEGER NOT NULL,
    state ${options.state === 'text' ? 'TEXT' : 'INTEGER'} NOT NULL, priority INTEGER NOT NULL, run_at INTEGER NOT NULL,
    holder INTEGER, fence INTEGER NOT NULL DEFAULT 0, attempt INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0, strikes INTEGER NOT NULL DEFAULT 0, generation INTEGER NOT NULL DEFAULT 1,
    event_seq INTEGER NOT NULL, tenant TEXT NOT NULL, owner TEXT, session INTEGER, phase INTEGER NOT NULL DEFAULT 0,
    progress REAL, created_at INTEGER NOT NULL, started_at INTEGER, finished_at INTEGER, deadline_at INTEGER,
    cancel_requested_at INTEGER, cancelled_by TEXT, cancel_reason TEXT,
    input TEXT${options.bodies === 'inline' ? ' NOT NULL' : ''}, output TEXT${options.checks ? checks : ''}
  ) STRICT;
  CREATE UNIQUE INDEX millrace_jobs_id ON millrace_jobs (id);
  CREATE INDEX millrace_jobs_ready ON millrace_jobs (lane, priority, run_at${options.readyIndex === 'with-n' ? ', n' : ''})
    WHERE state = ${queued};
  CREATE INDEX millrace_jobs_held ON millrace_jobs (holder) WHERE holder IS NOT NULL;
  CREATE INDEX millrace_jobs_finished ON millrace_jobs (state, finished_at) WHERE finished_at IS NOT NULL;
  ${options.bodies === 'apart' ? 'CREATE TABLE millrace_bodies (job INTEGER PRIMARY KEY, input TEXT NOT NULL, output TEXT) STRICT;' : ''}
  ${eventsSchema(options)}`
}

function eventsSchema({ events }: LeanOptions): string {
  const columns = `job INTEGER NOT NULL, seq INTEGER NOT NULL, code INTEGER NOT NULL, at INTEGER NOT NULL,
    attempt INTEGER NOT NULL, detail TEXT`
  if (events === 'without-rowid')
    return `CREATE TABLE millrace_events (${columns}, PRIMARY KEY (job, seq)) STRICT, WITHOUT ROWID;`
  const table = `CREATE TABLE millrace_events (id INTEGER PRIMARY KEY AUTOINCREMENT, ${columns}) STRICT;`
  if (events === 'no-seq-index') return table
  return `${table} CREATE UNIQUE INDEX millrace_events_job ON millrace_events (job, seq);`
}
