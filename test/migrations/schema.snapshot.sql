CREATE TABLE millrace_artifacts (
  n INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  job INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  phase TEXT NOT NULL,
  name TEXT NOT NULL,
  content_type TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  sha256 BLOB NOT NULL,
  path TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  CHECK (length(id) = 16),
  CHECK (length(sha256) = 32)
) STRICT;

CREATE INDEX millrace_artifacts_expiry ON millrace_artifacts (expires_at) WHERE expires_at IS NOT NULL;

CREATE UNIQUE INDEX millrace_artifacts_job ON millrace_artifacts (job, generation, name);

CREATE TABLE millrace_attempts (
  job INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  phase TEXT NOT NULL,
  progress REAL NOT NULL,
  session INTEGER,
  started_at INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  error TEXT,
  -- When its code came to rest, and what ended it; NULL: not known to have.
  stopped_at INTEGER,
  stopped_by INTEGER,
  PRIMARY KEY (job, attempt),
  CHECK ((stopped_at IS NULL) = (stopped_by IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE millrace_audit (
  n INTEGER PRIMARY KEY,
  id BLOB NOT NULL UNIQUE,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  role TEXT NOT NULL,
  tenant TEXT NOT NULL,
  act TEXT NOT NULL,
  job BLOB NOT NULL,
  reason TEXT,
  detail TEXT,
  CHECK (length(id) = 16),
  CHECK (length(job) = 16)
) STRICT;

CREATE INDEX millrace_audit_at ON millrace_audit (at, id);

CREATE INDEX millrace_audit_job ON millrace_audit (job, at, id);

CREATE INDEX millrace_audit_tenant ON millrace_audit (tenant, at, id);

CREATE TABLE millrace_bodies (
  job INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (job, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE millrace_deleted_jobs (
  position INTEGER PRIMARY KEY,
  job INTEGER NOT NULL,
  id BLOB NOT NULL,
  type INTEGER NOT NULL,
  tenant TEXT NOT NULL,
  owner TEXT,
  idempotency_key TEXT,
  deleted_at INTEGER NOT NULL
) STRICT;

CREATE INDEX millrace_deleted_jobs_id ON millrace_deleted_jobs (id);

CREATE TABLE millrace_entities (
  job INTEGER PRIMARY KEY,
  status TEXT NOT NULL,
  noted_at INTEGER NOT NULL
) STRICT;

CREATE TABLE millrace_event_lists (
  position INTEGER PRIMARY KEY,
  events INTEGER NOT NULL,
  code INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  at INTEGER NOT NULL,
  jobs TEXT NOT NULL
) STRICT;

CREATE TABLE millrace_events (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  job INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  code INTEGER NOT NULL,
  at INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  detail TEXT
) STRICT;

CREATE UNIQUE INDEX millrace_events_job ON millrace_events (job, seq);

CREATE TABLE millrace_jobs (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  id BLOB NOT NULL,
  type INTEGER NOT NULL,
  lane INTEGER NOT NULL,
  state INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  run_at INTEGER NOT NULL,
  holder INTEGER,
  fence INTEGER NOT NULL DEFAULT 0,
  attempt INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  strikes INTEGER NOT NULL DEFAULT 0,
  suspect INTEGER NOT NULL DEFAULT 0,
  generation INTEGER NOT NULL DEFAULT 1,
  event_seq INTEGER NOT NULL DEFAULT 1,
  phase INTEGER NOT NULL DEFAULT 0,
  phase_count INTEGER NOT NULL,
  phase_list INTEGER NOT NULL,
  progress REAL NOT NULL DEFAULT 0,
  session INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  started_at INTEGER,
  phase_started_at INTEGER,
  finished_at INTEGER,
  deadline_at INTEGER,
  cancel_requested_at INTEGER,
  -- Where the lists begin that tell that it was created, first started, and completed at the first attempt; NULL: there is no such event, or a
  -- row tells.
  created_in INTEGER,
  started_in INTEGER,
  completed_in INTEGER,
  cancelled_by TEXT,
  cancel_reason TEXT,
  tenant TEXT NOT NULL DEFAULT '',
  owner TEXT,
  unique_key TEXT,
  idempotency_key TEXT,
  -- NULL: in millrace_bodies. Every change of state rewrites this row, so it carries short texts only.
  input TEXT,
  output TEXT,
  CHECK (length(id) = 16),
  CHECK (state BETWEEN 1 AND 7),
  CHECK ((state = 3) = (holder IS NOT NULL)),
  CHECK ((state >= 5) = (finished_at IS NOT NULL)),
  CHECK (deadline_at IS NULL OR state = 3),
  CHECK (cancel_requested_at IS NULL OR (state >= 3 AND state % 2 = 1)),
  CHECK (state <> 7 OR (cancelled_by IS NOT NULL AND cancel_requested_at IS NOT NULL)),
  CHECK (state <> 5 OR phase = phase_count),
  CHECK (phase BETWEEN 0 AND phase_count),
  CHECK (progress BETWEEN 0 AND 100)
) STRICT;

CREATE INDEX millrace_jobs_finished ON millrace_jobs (state, type) WHERE finished_at IS NOT NULL;

CREATE INDEX millrace_jobs_held ON millrace_jobs (holder) WHERE holder IS NOT NULL;

CREATE UNIQUE INDEX millrace_jobs_id ON millrace_jobs (id);

CREATE INDEX millrace_jobs_owner ON millrace_jobs (tenant, owner) WHERE owner IS NOT NULL;

CREATE INDEX millrace_jobs_ready ON millrace_jobs (lane, priority, run_at) WHERE state = 2;

CREATE INDEX millrace_jobs_tenant ON millrace_jobs (tenant) WHERE tenant <> '';

CREATE UNIQUE INDEX millrace_jobs_unique ON millrace_jobs (type, tenant, unique_key)
  WHERE unique_key IS NOT NULL AND finished_at IS NULL;

CREATE INDEX millrace_jobs_waiting ON millrace_jobs (run_at) WHERE state IN (1, 4);

CREATE INDEX millrace_jobs_waiting_type ON millrace_jobs (type, run_at) WHERE state IN (1, 4);

CREATE TABLE millrace_keys (
  tenant TEXT NOT NULL,
  type INTEGER NOT NULL,
  key TEXT NOT NULL,
  job BLOB NOT NULL,
  input_hash BLOB NOT NULL,
  held_until INTEGER NOT NULL,
  PRIMARY KEY (tenant, type, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE millrace_labels (
  job INTEGER NOT NULL,
  name TEXT NOT NULL,
  content TEXT NOT NULL,
  PRIMARY KEY (job, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX millrace_labels_content ON millrace_labels (name, content, job);

CREATE TABLE millrace_lanes (
  n INTEGER PRIMARY KEY,
  type INTEGER NOT NULL,
  queue INTEGER NOT NULL,
  UNIQUE (type, queue)
) STRICT;

CREATE TABLE millrace_meta (
  name TEXT PRIMARY KEY,
  content ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE millrace_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT;

CREATE TABLE millrace_phase_lists (
  n INTEGER PRIMARY KEY,
  names TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE millrace_phases (
  job INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  started_at INTEGER,
  finished_at INTEGER NOT NULL,
  result TEXT NOT NULL,
  PRIMARY KEY (job, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE millrace_queues (
  n INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  paused_at INTEGER,
  paused_by TEXT,
  -- Who resumed it, while it is not paused.
  resumed_at INTEGER,
  resumed_by TEXT
) STRICT;

CREATE TABLE millrace_refusals (
  type INTEGER NOT NULL,
  service TEXT NOT NULL,
  refused_at INTEGER NOT NULL,
  PRIMARY KEY (type, service)
) STRICT, WITHOUT ROWID;

CREATE TABLE millrace_sessions (
  n INTEGER PRIMARY KEY,
  holder INTEGER NOT NULL UNIQUE,
  service TEXT NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  concurrency INTEGER NOT NULL,
  lease_ms INTEGER NOT NULL,
  -- What tells the process from others under its pid; NULL: it can't be told, or the session is nobody's in particular.
  boot_id TEXT,
  namespaces TEXT,
  start_tick INTEGER,
  -- What it works on: names of types, JSON. `epoch` is that of its registration.
  types TEXT NOT NULL DEFAULT '[]',
  epoch INTEGER NOT NULL DEFAULT 1,
  version TEXT,
  started_at INTEGER NOT NULL,
  beat_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  -- Since when the event loop of its process stands still, as its latest beat has seen.
  blocked_since INTEGER,
  -- Since when it claims nothing more, because its worker is being stopped.
  draining_since INTEGER,
  ended_at INTEGER,
  -- Who drives one job by hand under it, as a lock; NULL: it is a worker's.
  hand TEXT
) STRICT;

CREATE INDEX millrace_sessions_open ON millrace_sessions (expires_at) WHERE ended_at IS NULL;

CREATE TABLE millrace_types (
  n INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  service TEXT,
  queue TEXT NOT NULL,
  policy TEXT NOT NULL,
  registered_at INTEGER,
  -- A hand-over gives the type a higher one than any type has: a session claims nothing that was handed over after its own.
  epoch INTEGER NOT NULL DEFAULT 0,
  owned_since INTEGER,
  transferred_from TEXT,
  transferred_by TEXT,
  transfer_reason TEXT,
  CHECK ((service IS NULL) = (registered_at IS NULL)),
  CHECK ((service IS NULL) = (owned_since IS NULL)),
  CHECK ((service IS NULL) = (epoch = 0)),
  CHECK ((transferred_from IS NULL) = (transferred_by IS NULL))
) STRICT;

CREATE VIEW millrace_job_view AS
SELECT
  lower(
    substr(hex(j.id), 1, 8) || '-' || substr(hex(j.id), 9, 4) || '-' || substr(hex(j.id), 13, 4) || '-' ||
    substr(hex(j.id), 17, 4) || '-' || substr(hex(j.id), 21)
  ) AS id,
  t.name AS type,
  q.name AS queue,
  CASE j.state
    WHEN 1 THEN 'scheduled' WHEN 2 THEN 'queued' WHEN 3 THEN 'running' WHEN 4 THEN 'retrying'
    WHEN 5 THEN 'completed' WHEN 6 THEN 'failed' ELSE 'cancelled'
  END AS state,
  j.progress, j.attempt, j.failures, j.generation, j.tenant, j.owner,
  datetime(j.created_at / 1000.0, 'unixepoch') AS created_at,
  datetime(j.started_at / 1000.0, 'unixepoch') AS started_at,
  datetime(j.finished_at / 1000.0, 'unixepoch') AS finished_at,
  ifnull(j.input, (SELECT body FROM millrace_bodies WHERE job = j.n AND kind = 1)) AS input,
  ifnull(j.output, (SELECT body FROM millrace_bodies WHERE job = j.n AND kind = 2)) AS output
FROM millrace_jobs AS j
JOIN millrace_types AS t ON t.n = j.type
JOIN millrace_lanes AS l ON l.n = j.lane
JOIN millrace_queues AS q ON q.n = l.queue;
