-- works with: 1
--
-- The lean layout: the public id is the one key of a job, child tables refer to it, and what never changes has no column of its own.
-- States, events and outcomes are numbers (1 scheduled, 2 queued, 3 running, 4 retrying, 5 completed, 6 failed, 7 cancelled). Instants are
-- epoch milliseconds. `millrace.job_view` reads as a person would. docs/performance.md tells what each choice costs.

CREATE TABLE millrace.meta (
  name text PRIMARY KEY,
  content text NOT NULL
);
-- Tells one store from another, whatever connection one looks through.
INSERT INTO millrace.meta (name, content) VALUES ('store', gen_random_uuid()::text);

-- One row a type: who works on it, and how. `policy` is what the owner registered; before that, what the first producer knew.
CREATE TABLE millrace.types (
  n integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  service text,
  queue text NOT NULL,
  policy text NOT NULL,
  -- Copied from the policy, for the claim.
  timeout_ms bigint,
  -- Grows with every change, so that a process knows that what it remembers is old.
  revision integer NOT NULL DEFAULT 1,
  registered_at bigint,
  -- A hand-over gives the type a higher one than any type has: a session claims nothing that was handed over after its own.
  epoch integer NOT NULL DEFAULT 0,
  owned_since bigint,
  transferred_from text,
  transferred_by text,
  transfer_reason text,
  CHECK ((service IS NULL) = (registered_at IS NULL)),
  CHECK ((service IS NULL) = (owned_since IS NULL)),
  CHECK ((service IS NULL) = (epoch = 0)),
  CHECK ((transferred_from IS NULL) = (transferred_by IS NULL))
);

-- The latest time that a service was refused a type of another's.
CREATE TABLE millrace.refusals (
  type integer NOT NULL,
  service text NOT NULL,
  refused_at bigint NOT NULL,
  PRIMARY KEY (type, service)
);

-- Jobs that are over, while what they were about is not: what their handlers' service has told, and when.
CREATE TABLE millrace.entities (
  job uuid PRIMARY KEY,
  status text NOT NULL,
  noted_at bigint NOT NULL
);

CREATE TABLE millrace.queues (
  n integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  paused_at bigint,
  paused_by text,
  -- Who resumed it, while it is not paused.
  resumed_at bigint,
  resumed_by text
);

-- What a claim looks through: one lane for each type and queue that has had a job.
CREATE TABLE millrace.lanes (
  n integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  type integer NOT NULL,
  queue integer NOT NULL,
  UNIQUE (type, queue)
);

-- A job's list of phase names, shared by all jobs that have the same.
CREATE TABLE millrace.phase_lists (
  n integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  names text NOT NULL UNIQUE
);

-- A beat changes no indexed column, so it leaves nothing behind in an index.
CREATE TABLE millrace.sessions (
  n integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  holder bigint NOT NULL UNIQUE,
  service text NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  concurrency integer NOT NULL,
  lease_ms bigint NOT NULL,
  -- What tells the process from others under its pid; NULL: it can't be told, or the session is nobody's in particular.
  boot_id text,
  namespaces text,
  start_tick bigint,
  -- What it works on: names of types, JSON. `epoch` is that of its registration.
  types text NOT NULL DEFAULT '[]',
  epoch integer NOT NULL DEFAULT 1,
  version text,
  started_at bigint NOT NULL,
  beat_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  -- Since when the event loop of its process stands still, as its latest beat has seen.
  blocked_since bigint,
  -- Since when it claims nothing more, because its worker is being stopped.
  draining_since bigint,
  ended_at bigint,
  -- Who drives one job by hand under it, as a lock; NULL: it is a worker's.
  hand text
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 200);
CREATE INDEX sessions_open ON millrace.sessions (n) WHERE ended_at IS NULL;
CREATE INDEX sessions_ended ON millrace.sessions (ended_at) WHERE ended_at IS NOT NULL AND hand IS NULL;

CREATE TABLE millrace.jobs (
  id uuid PRIMARY KEY,
  -- Order of insertion.
  n bigint GENERATED ALWAYS AS IDENTITY,
  -- What is always there stands first, the wider before the narrower: it is found at once then, and nothing lies idle between.
  run_at bigint NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  progress double precision NOT NULL DEFAULT 0,
  type integer NOT NULL,
  lane integer NOT NULL,
  priority integer NOT NULL,
  fence integer NOT NULL DEFAULT 0,
  attempt integer NOT NULL DEFAULT 0,
  failures integer NOT NULL DEFAULT 0,
  strikes integer NOT NULL DEFAULT 0,
  generation integer NOT NULL DEFAULT 1,
  event_seq integer NOT NULL DEFAULT 1,
  phase_list integer NOT NULL,
  phase smallint NOT NULL DEFAULT 0,
  phase_count smallint NOT NULL,
  state smallint NOT NULL,
  suspect boolean NOT NULL DEFAULT false,
  -- A bundle leads to it.
  bundled boolean NOT NULL DEFAULT false,
  tenant text NOT NULL DEFAULT '',
  -- The commits whose lists tell that it was created, first started, and completed at the first attempt; NULL: there is no such event, or a row tells.
  created_in bigint,
  started_in bigint,
  completed_in bigint,
  holder bigint,
  session integer,
  started_at bigint,
  phase_started_at bigint,
  finished_at bigint,
  deadline_at bigint,
  cancel_requested_at bigint,
  owner text,
  unique_key text,
  idempotency_key text,
  cancelled_by text,
  cancel_reason text,
  input text,
  output text,
  CHECK (state BETWEEN 1 AND 7),
  CHECK ((state = 3) = (holder IS NOT NULL)),
  CHECK ((state >= 5) = (finished_at IS NOT NULL)),
  CHECK (deadline_at IS NULL OR state = 3),
  CHECK (cancel_requested_at IS NULL OR state IN (3, 5, 7)),
  CHECK (state <> 7 OR (cancelled_by IS NOT NULL AND cancel_requested_at IS NOT NULL)),
  CHECK (state <> 5 OR phase = phase_count),
  CHECK (phase BETWEEN 0 AND phase_count),
  CHECK (progress BETWEEN 0 AND 100),
  CHECK (NOT bundled OR (state = 2 AND created_in IS NOT NULL))
) WITH (
  -- Every change of state writes the row anew: texts longer than this stand apart and are not written with it.
  toast_tuple_target = 512,
  -- Each change stays on its page, where the row it replaces makes room for the next.
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
  autovacuum_analyze_scale_factor = 0.05, autovacuum_analyze_threshold = 1000,
  autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX jobs_ready ON millrace.jobs (lane, bundled, priority, run_at, n) WHERE state = 2;
CREATE INDEX jobs_ready_suspects ON millrace.jobs (lane) WHERE state = 2 AND suspect;
CREATE INDEX jobs_waiting ON millrace.jobs (type, run_at) WHERE state IN (1, 4);
-- What comes next of whatever type. Only who asks for instants from 0 on may use it: whoever asks for the next of a type is not led here.
CREATE INDEX jobs_due ON millrace.jobs (run_at) WHERE state IN (1, 4) AND run_at >= 0;
-- What a session has in hand, and what of it is overdue.
CREATE INDEX jobs_held ON millrace.jobs (holder, deadline_at) WHERE holder IS NOT NULL;
CREATE INDEX jobs_stopping ON millrace.jobs (cancel_requested_at) WHERE holder IS NOT NULL AND cancel_requested_at IS NOT NULL;
CREATE INDEX jobs_finished ON millrace.jobs (state, type, finished_at) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX jobs_unique ON millrace.jobs (type, tenant, unique_key)
  WHERE unique_key IS NOT NULL AND finished_at IS NULL;
CREATE INDEX jobs_owner ON millrace.jobs (tenant, owner, id) WHERE owner IS NOT NULL;
CREATE INDEX jobs_tenant ON millrace.jobs (tenant, id) WHERE tenant <> '';

-- Jobs that were added together, for claims: where their rows lie, in the order in which they are taken, `taken` of them already. What is taken
-- has to be ready still, and bundled. `n` is that of the first job, and the jobs are told of in the list of the commit `created_in`, from `start` on.
CREATE TABLE millrace.bundles (
  run_at bigint NOT NULL,
  n bigint NOT NULL,
  created_in bigint NOT NULL,
  lane integer NOT NULL,
  priority integer NOT NULL,
  start integer NOT NULL,
  size integer NOT NULL,
  taken integer NOT NULL DEFAULT 0,
  places tid[] NOT NULL,
  CHECK (taken >= 0 AND taken < size AND size = cardinality(places))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 200);
ALTER TABLE millrace.bundles ALTER COLUMN places SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX bundles_key ON millrace.bundles (created_in, start);
CREATE INDEX bundles_ready ON millrace.bundles (lane, priority, run_at, n);

-- Idempotency keys outlive their jobs: held until the job is gone, and at least until `held_until`.
CREATE TABLE millrace.keys (
  tenant text NOT NULL,
  type integer NOT NULL,
  key text NOT NULL,
  job uuid NOT NULL,
  input_hash bytea NOT NULL,
  held_until bigint NOT NULL,
  PRIMARY KEY (tenant, type, key)
);

CREATE TABLE millrace.labels (
  job uuid NOT NULL,
  name text NOT NULL,
  content text NOT NULL,
  PRIMARY KEY (job, name)
);
CREATE INDEX labels_content ON millrace.labels (name, content, job);

-- A phase that is done, of a job of several phases.
CREATE TABLE millrace.phases (
  job uuid NOT NULL,
  ordinal integer NOT NULL,
  generation integer NOT NULL,
  attempt integer NOT NULL,
  started_at bigint,
  finished_at bigint NOT NULL,
  result text NOT NULL,
  PRIMARY KEY (job, ordinal)
);

-- An attempt that ended other than completed.
CREATE TABLE millrace.attempts (
  job uuid NOT NULL,
  attempt integer NOT NULL,
  generation integer NOT NULL,
  outcome smallint NOT NULL,
  phase text NOT NULL,
  progress double precision NOT NULL,
  session integer,
  started_at bigint NOT NULL,
  ended_at bigint NOT NULL,
  error text,
  -- When its code came to rest, and what ended it; NULL: not known to have.
  stopped_at bigint,
  stopped_by smallint,
  PRIMARY KEY (job, attempt),
  CHECK ((stopped_at IS NULL) = (stopped_by IS NULL))
);

-- The log is numbered by commits, not by events: `n` is given when a transaction writes, and transactions may be committed in another
-- order. Whoever reads the log first gives those that have been committed their places, `first` being that of the first event.
CREATE TABLE millrace.commits (
  n bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  first bigint,
  at bigint NOT NULL,
  -- Tells its transaction from every other, together with its time.
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  events integer NOT NULL,
  -- What happens to most jobs is told by a list, each job in its event's place; NULL in it: another job's event, which has a row.
  code smallint,
  seq smallint,
  attempt smallint,
  -- How many jobs are in the list, and how many of them have not been deleted.
  listed integer NOT NULL DEFAULT 0,
  living integer NOT NULL DEFAULT 0,
  jobs uuid[],
  CHECK ((jobs IS NULL) = (code IS NULL) AND (code IS NULL) = (seq IS NULL) AND (seq IS NULL) = (attempt IS NULL)),
  CHECK (cardinality(jobs) <= events AND listed <= events AND living BETWEEN 0 AND listed)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
-- Ids have nothing to compress.
ALTER TABLE millrace.commits ALTER COLUMN jobs SET STORAGE EXTERNAL;
CREATE INDEX commits_unplaced ON millrace.commits (n) WHERE first IS NULL;
CREATE UNIQUE INDEX commits_placed ON millrace.commits (first) WHERE first IS NOT NULL;

-- How far the log has been numbered.
CREATE TABLE millrace.log_head (
  n smallint PRIMARY KEY DEFAULT 1 CHECK (n = 1),
  position bigint NOT NULL
);
INSERT INTO millrace.log_head (position) VALUES (0);

-- What happened, where no list tells it. `seq` counts a job's events from 1 without a gap.
CREATE TABLE millrace.events (
  commit bigint NOT NULL,
  job uuid NOT NULL,
  at bigint NOT NULL,
  idx integer NOT NULL,
  seq integer NOT NULL,
  attempt integer NOT NULL,
  code smallint NOT NULL,
  detail text,
  PRIMARY KEY (commit, idx)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.1);
CREATE UNIQUE INDEX events_job ON millrace.events (job, seq);

-- What is left of a job that was deleted: whose it was, for as long as the event that tells of it is kept.
CREATE TABLE millrace.deleted_jobs (
  id uuid PRIMARY KEY,
  type integer NOT NULL,
  tenant text NOT NULL,
  owner text,
  idempotency_key text,
  deleted_at bigint NOT NULL
);
CREATE INDEX deleted_jobs_at ON millrace.deleted_jobs (deleted_at);

CREATE TABLE millrace.artifacts (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id uuid NOT NULL UNIQUE,
  job uuid NOT NULL,
  generation integer NOT NULL,
  attempt integer NOT NULL,
  phase text NOT NULL,
  name text NOT NULL,
  content_type text NOT NULL,
  size_bytes bigint NOT NULL,
  sha256 bytea NOT NULL,
  path text NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint,
  CHECK (length(sha256) = 32)
);
CREATE UNIQUE INDEX artifacts_job ON millrace.artifacts (job, generation, name);
CREATE INDEX artifacts_expiry ON millrace.artifacts (expires_at) WHERE expires_at IS NOT NULL;

-- What was done by right of a role, and by whom. It outlives the jobs that it tells of; `tenant` is the job's.
CREATE TABLE millrace.audit (
  id uuid PRIMARY KEY,
  at bigint NOT NULL,
  job uuid NOT NULL,
  actor text NOT NULL,
  role text NOT NULL,
  tenant text NOT NULL,
  act text NOT NULL,
  reason text,
  detail text
);
CREATE INDEX audit_at ON millrace.audit (at, id);
CREATE INDEX audit_tenant ON millrace.audit (tenant, at, id);
CREATE INDEX audit_job ON millrace.audit (job, at, id);

-- The bytes of artifacts, in pieces. What no artifact's row refers to is nobody's: its writer is at it, or has died.
CREATE TABLE millrace.artifact_chunks (
  path text NOT NULL,
  ordinal integer NOT NULL,
  written_at bigint NOT NULL,
  bytes bytea NOT NULL,
  PRIMARY KEY (path, ordinal)
);
-- Pictures and archives are small already; what is kept as it is can be counted without being read.
ALTER TABLE millrace.artifact_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE VIEW millrace.job_view AS
SELECT
  j.id, t.name AS type, q.name AS queue,
  (ARRAY['scheduled', 'queued', 'running', 'retrying', 'completed', 'failed', 'cancelled'])[j.state] AS state,
  j.progress, j.attempt, j.failures, j.generation, j.tenant, j.owner,
  to_timestamp(j.created_at / 1000.0) AS created_at,
  to_timestamp(j.started_at / 1000.0) AS started_at,
  to_timestamp(j.finished_at / 1000.0) AS finished_at,
  j.input, j.output
FROM millrace.jobs AS j
JOIN millrace.types AS t ON t.n = j.type
JOIN millrace.lanes AS l ON l.n = j.lane
JOIN millrace.queues AS q ON q.n = l.queue;
