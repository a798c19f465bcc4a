CREATE TABLE millrace.artifact_chunks (
  path text NOT NULL,
  ordinal integer NOT NULL,
  written_at bigint NOT NULL,
  bytes bytea NOT NULL,
  PRIMARY KEY (path, ordinal)
);

CREATE TABLE millrace.artifacts (
  n bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  id uuid NOT NULL,
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
  UNIQUE (id),
  PRIMARY KEY (n),
  CHECK ((length(sha256) = 32))
);

CREATE INDEX artifacts_expiry ON millrace.artifacts USING btree (expires_at) WHERE (expires_at IS NOT NULL);

CREATE UNIQUE INDEX artifacts_job ON millrace.artifacts USING btree (job, generation, name);

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
  stopped_at bigint,
  stopped_by smallint,
  PRIMARY KEY (job, attempt),
  CHECK (((stopped_at IS NULL) = (stopped_by IS NULL)))
);

CREATE TABLE millrace.audit (
  id uuid NOT NULL,
  at bigint NOT NULL,
  job uuid NOT NULL,
  actor text NOT NULL,
  role text NOT NULL,
  tenant text NOT NULL,
  act text NOT NULL,
  reason text,
  detail text,
  PRIMARY KEY (id)
);

CREATE INDEX audit_at ON millrace.audit USING btree (at, id);

CREATE INDEX audit_job ON millrace.audit USING btree (job, at, id);

CREATE INDEX audit_tenant ON millrace.audit USING btree (tenant, at, id);

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
  CHECK (((taken >= 0) AND (taken < size) AND (size = cardinality(places))))
) WITH (fillfactor=50, autovacuum_vacuum_scale_factor=0.0, autovacuum_vacuum_threshold=200);

CREATE INDEX bundles_ready ON millrace.bundles USING btree (lane, priority, run_at, n);

CREATE UNIQUE INDEX bundles_key ON millrace.bundles USING btree (created_in, start);

CREATE TABLE millrace.commits (
  n bigint NOT NULL,
  first bigint,
  at bigint NOT NULL,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  events integer NOT NULL,
  code smallint,
  seq smallint,
  attempt smallint,
  listed integer NOT NULL DEFAULT 0,
  living integer NOT NULL DEFAULT 0,
  jobs uuid[],
  PRIMARY KEY (n),
  CHECK ((((jobs IS NULL) = (code IS NULL)) AND ((code IS NULL) = (seq IS NULL)) AND ((seq IS NULL) = (attempt IS NULL)))),
  CHECK (((cardinality(jobs) <= events) AND (listed <= events) AND ((living >= 0) AND (living <= listed))))
) WITH (fillfactor=80, autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=1000);

CREATE INDEX commits_unplaced ON millrace.commits USING btree (n) WHERE (first IS NULL);

CREATE UNIQUE INDEX commits_placed ON millrace.commits USING btree (first) WHERE (first IS NOT NULL);

CREATE TABLE millrace.deleted_jobs (
  id uuid NOT NULL,
  type integer NOT NULL,
  tenant text NOT NULL,
  owner text,
  idempotency_key text,
  deleted_at bigint NOT NULL,
  PRIMARY KEY (id)
);

CREATE INDEX deleted_jobs_at ON millrace.deleted_jobs USING btree (deleted_at);

CREATE TABLE millrace.entities (
  job uuid NOT NULL,
  status text NOT NULL,
  noted_at bigint NOT NULL,
  PRIMARY KEY (job)
);

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
) WITH (autovacuum_vacuum_insert_scale_factor=0.1);

CREATE UNIQUE INDEX events_job ON millrace.events USING btree (job, seq);

CREATE TABLE millrace.jobs (
  id uuid NOT NULL,
  n bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
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
  bundled boolean NOT NULL DEFAULT false,
  tenant text NOT NULL DEFAULT ''::text,
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
  PRIMARY KEY (id),
  CHECK (((NOT bundled) OR ((state = 2) AND (created_in IS NOT NULL)))),
  CHECK (((cancel_requested_at IS NULL) OR (state = ANY (ARRAY[3, 5, 7])))),
  CHECK (((deadline_at IS NULL) OR (state = 3))),
  CHECK (((phase >= 0) AND (phase <= phase_count))),
  CHECK (((progress >= (0)::double precision) AND (progress <= (100)::double precision))),
  CHECK (((state <> 5) OR (phase = phase_count))),
  CHECK (((state <> 7) OR ((cancelled_by IS NOT NULL) AND (cancel_requested_at IS NOT NULL)))),
  CHECK (((state = 3) = (holder IS NOT NULL))),
  CHECK (((state >= 1) AND (state <= 7))),
  CHECK (((state >= 5) = (finished_at IS NOT NULL)))
) WITH (toast_tuple_target=512, fillfactor=50, autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=1000, autovacuum_analyze_scale_factor=0.05, autovacuum_analyze_threshold=1000, autovacuum_vacuum_cost_delay=0);

CREATE INDEX jobs_due ON millrace.jobs USING btree (run_at) WHERE ((state = ANY (ARRAY[1, 4])) AND (run_at >= 0));

CREATE INDEX jobs_finished ON millrace.jobs USING btree (state, type, finished_at) WHERE (finished_at IS NOT NULL);

CREATE INDEX jobs_held ON millrace.jobs USING btree (holder, deadline_at) WHERE (holder IS NOT NULL);

CREATE INDEX jobs_owner ON millrace.jobs USING btree (tenant, owner, id) WHERE (owner IS NOT NULL);

CREATE INDEX jobs_ready ON millrace.jobs USING btree (lane, bundled, priority, run_at, n) WHERE (state = 2);

CREATE INDEX jobs_ready_suspects ON millrace.jobs USING btree (lane) WHERE ((state = 2) AND suspect);

CREATE INDEX jobs_stopping ON millrace.jobs USING btree (cancel_requested_at) WHERE ((holder IS NOT NULL) AND (cancel_requested_at IS NOT NULL));

CREATE INDEX jobs_tenant ON millrace.jobs USING btree (tenant, id) WHERE (tenant <> ''::text);

CREATE INDEX jobs_waiting ON millrace.jobs USING btree (type, run_at) WHERE (state = ANY (ARRAY[1, 4]));

CREATE UNIQUE INDEX jobs_unique ON millrace.jobs USING btree (type, tenant, unique_key) WHERE ((unique_key IS NOT NULL) AND (finished_at IS NULL));

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

CREATE INDEX labels_content ON millrace.labels USING btree (name, content, job);

CREATE TABLE millrace.lanes (
  n integer NOT NULL GENERATED ALWAYS AS IDENTITY,
  type integer NOT NULL,
  queue integer NOT NULL,
  UNIQUE (type, queue),
  PRIMARY KEY (n)
);

CREATE TABLE millrace.log_head (
  n smallint NOT NULL DEFAULT 1,
  position bigint NOT NULL,
  PRIMARY KEY (n),
  CHECK ((n = 1))
);

CREATE TABLE millrace.meta (
  name text NOT NULL,
  content text NOT NULL,
  PRIMARY KEY (name)
);

CREATE TABLE millrace.migrations (
  version integer NOT NULL,
  name text NOT NULL,
  checksum text NOT NULL,
  works_with integer NOT NULL,
  applied_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (version)
);

CREATE TABLE millrace.phase_lists (
  n integer NOT NULL GENERATED ALWAYS AS IDENTITY,
  names text NOT NULL,
  UNIQUE (names),
  PRIMARY KEY (n)
);

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

CREATE TABLE millrace.queues (
  n integer NOT NULL GENERATED ALWAYS AS IDENTITY,
  name text NOT NULL,
  paused_at bigint,
  paused_by text,
  resumed_at bigint,
  resumed_by text,
  UNIQUE (name),
  PRIMARY KEY (n)
);

CREATE TABLE millrace.refusals (
  type integer NOT NULL,
  service text NOT NULL,
  refused_at bigint NOT NULL,
  PRIMARY KEY (type, service)
);

CREATE TABLE millrace.sessions (
  n integer NOT NULL GENERATED ALWAYS AS IDENTITY,
  holder bigint NOT NULL,
  service text NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  concurrency integer NOT NULL,
  lease_ms bigint NOT NULL,
  boot_id text,
  namespaces text,
  start_tick bigint,
  types text NOT NULL DEFAULT '[]'::text,
  epoch integer NOT NULL DEFAULT 1,
  version text,
  started_at bigint NOT NULL,
  beat_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  blocked_since bigint,
  draining_since bigint,
  ended_at bigint,
  hand text,
  UNIQUE (holder),
  PRIMARY KEY (n)
) WITH (fillfactor=50, autovacuum_vacuum_scale_factor=0.0, autovacuum_vacuum_threshold=200);

CREATE INDEX sessions_ended ON millrace.sessions USING btree (ended_at) WHERE ((ended_at IS NOT NULL) AND (hand IS NULL));

CREATE INDEX sessions_open ON millrace.sessions USING btree (n) WHERE (ended_at IS NULL);

CREATE TABLE millrace.types (
  n integer NOT NULL GENERATED ALWAYS AS IDENTITY,
  name text NOT NULL,
  service text,
  queue text NOT NULL,
  policy text NOT NULL,
  timeout_ms bigint,
  revision integer NOT NULL DEFAULT 1,
  registered_at bigint,
  epoch integer NOT NULL DEFAULT 0,
  owned_since bigint,
  transferred_from text,
  transferred_by text,
  transfer_reason text,
  UNIQUE (name),
  PRIMARY KEY (n),
  CHECK (((service IS NULL) = (epoch = 0))),
  CHECK (((service IS NULL) = (owned_since IS NULL))),
  CHECK (((service IS NULL) = (registered_at IS NULL))),
  CHECK (((transferred_from IS NULL) = (transferred_by IS NULL)))
);

-- view millrace.job_view: id uuid, type text, queue text, state text, progress double precision, attempt integer, failures integer, generation integer, tenant text, owner text, created_at timestamp with time zone, started_at timestamp with time zone, finished_at timestamp with time zone, input text, output text
