/** Every limit of Millrace, in one place. `docs/reference/limits.md` shows the same list; a test compares the two. */

const KIB = 1024
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

export const LIMITS = {
  /** Bytes of a job's input, a phase's result and an output, each as UTF-8 JSON. */
  inputBytes: 256 * KIB,
  resultBytes: 256 * KIB,
  /** Bytes of what is told beside a progress or a log line. */
  progressContextBytes: 16 * KIB,
  logMessageCharacters: 4_000,
  /** Characters of an idempotency or unique key, a tenant, an owner, an actor. */
  keyCharacters: 200,
  /** Characters of the name of a type, queue, phase, service or label. */
  nameCharacters: 100,
  reasonCharacters: 1_000,
  labels: 16,
  phases: 100,
  /** Jobs that one `enqueueMany` takes as a whole. */
  enqueueManyJobs: 5_000,
  listPage: 500,
  listPageDefault: 50,
  concurrency: 10_000,
  /** Characters of an error's message and stack that are kept with an attempt. */
  errorMessageCharacters: 4_000,
  errorStackCharacters: 8_000,
  artifactNameCharacters: 200,
  /** The longest that a lock taken by hand can be made to last from one moment. */
  lockMs: 30 * DAY,
  /** What one examination of a store lists; the rest is counted. */
  doctorFindings: 1_000,
  /** The furthest a job can be scheduled ahead. */
  scheduleAheadMs: 10 * 365 * DAY,
} as const

/** What holds unless something else is said. */
export const DEFAULTS = {
  maxAttempts: 3,
  /** The longest an attempt may take. */
  timeoutMs: 30 * MINUTE,
  cancelGraceMs: 5 * SECOND,
  leaseMs: 30 * SECOND,
  sweepMs: 5 * SECOND,
  /** How much longer than its deadline and its type's grace an attempt is left to a worker that lives. */
  overdueGraceMs: 2 * SECOND,
  drainMs: 30 * SECOND,
  /** How much longer the closing of a Millrace may take than the longest drain of its workers. */
  closeBeyondDrainMs: 10 * SECOND,
  /** Deaths of a worker with the job as the suspect, after which the job fails as poison. */
  maxStrikes: 3,
  /** How long a lock lasts that somebody takes by hand. */
  lockMs: 15 * MINUTE,
  /** How long it lasts at least from each write on, or as long as `lockMs` where that is shorter. */
  lockWriteMs: 5 * MINUTE,
  /** How long nothing must have been written, after which a job whose lock has run out is stuck. */
  lockQuietMs: 10 * MINUTE,
  concurrency: 10,
  priority: 0,
  keyHoldMs: 24 * HOUR,
  waitMs: 30 * SECOND,
  /** Between two cleanups of a process, and at least between two of all processes. */
  cleanupMs: 5 * MINUTE,
  cleanupApartMs: 2 * MINUTE,
  /** How long a cleanup counts as under way without a sign of life. */
  cleanupLeaseMs: 15 * SECOND,
  /** How long one that is forced waits for the one of another process at most. */
  cleanupJoinMs: 10 * MINUTE,
  /** How long `job:deleted` is kept after the job is gone. */
  deletedEventMs: 7 * DAY,
  /** How long a session that has ended is listed at least. */
  endedSessionMs: DAY,
  /** How old a file of the artifact folder is at least before it is removed because no artifact is kept in it. */
  orphanFileMs: DAY,
} as const
