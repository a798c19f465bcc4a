/** The door "millrace". */
export { defineJob } from './client/define-job.ts'
export type { BackoffOptions, ExpectOptions, JobOptions, LockOptions, RetryOptions } from './client/define-job.ts'
export type { Cancelled, CancelOptions, JobRetryOptions, Retried, RunNowOptions } from './client/act-on-job.ts'
export type {
  CompletionFields,
  ManagedState,
  ManagerOptions,
  NotWritten,
  ProcessingRefused,
  ProcessingStarted,
  Written,
} from './client/by-hand.ts'
export type { AsOptions } from './client/as-user.ts'
export type { Artifact, OpenedArtifact } from './client/artifacts.ts'
export type { CancelledMany, CancelManyOptions, CancelPreview } from './client/cancel-many.ts'
export type { ForceFailed, ForceOptions, ForceReset, ForceResetOptions } from './client/force-job.ts'
export type { EnqueueItem, EnqueueResult } from './client/enqueue-jobs.ts'
export type { Job, JobAttempt, JobError, JobPhase, JsonObject, ListedJob } from './client/job.ts'
export type { JobClient, RunOptions } from './client/job-client.ts'
export { JobManager } from './client/job-manager.ts'
export { JobStateManager } from './client/job-state-manager.ts'
export type {
  DefinitionIn,
  DefinitionOf,
  InputAndOptions,
  InputOf,
  JobHandle,
  JobReference,
  OutputOf,
} from './client/job-values.ts'
export type { EnqueueOptions } from './client/new-job.ts'
export type {
  OperatorClient,
  PauseOptions,
  Queue,
  SynchronousConnection,
  WorkerSession,
} from './client/operator-client.ts'
export type { AuditEntry, AuditList, AuditOptions } from './client/read-audit.ts'
export type { TransferOptions, TypeOwner } from './client/owners.ts'
export type { EventOptions, JobEvent } from './client/read-events.ts'
export type { JobFilterOptions, JobList, ListOptions } from './client/read-jobs.ts'
export type { Transitioned, TransitionFields } from './client/transition-job.ts'
export type { SubscribeOptions } from './client/subscribe.ts'
export type { RetentionBounds, RetentionOptions } from './client/retention-options.ts'
export type { Validation } from './client/validate-job.ts'
export type { WaitOptions } from './client/wait-for-job.ts'
export type { EndedJob, EntityProbe, EntityStatus } from './core/entity-status.ts'
export { isFatalError, shouldRetryJob } from './core/classification.ts'
export type { ClassificationRule, Verdict } from './core/classification.ts'
export type { JobDefinition } from './core/definition.ts'
export type { Duration } from './core/duration.ts'
export {
  ConflictError,
  ERROR_CODES,
  ForbiddenError,
  InvalidInputError,
  JobCancelledError,
  LeaseLostError,
  MillraceError,
  NotFoundError,
  UnrecoverableError,
} from './core/errors.ts'
export type { ErrorCode, ErrorDetails, InvalidInput, JobCancelled, MillraceErrorOptions } from './core/errors.ts'
export { EVENT_NAMES } from './core/events.ts'
export type { EventName } from './core/events.ts'
export type { Explanation, Reason, ReasonCode } from './core/explain.ts'
export { createFailureLog, createSuccessLog } from './core/job-logs.ts'
export type { JobContext, JobFailureLog, JobResult, JobSuccessLog } from './core/job-logs.ts'
export type { Json, JsonCompatible } from './core/json.ts'
export { DEFAULTS, LIMITS } from './core/limits.ts'
export type { PhaseState } from './core/phases.ts'
export type { JobPolicy, LockPolicy } from './core/policy.ts'
export type { AttemptOutcome } from './core/plan.ts'
export type { Backoff } from './core/retry.ts'
export type { Schema, SchemaInput, SchemaOutput } from './core/schema.ts'
export type { Expectation, RedFlag, RedFlagCode } from './core/red-flags.ts'
export type { Issue, IssueCode } from './core/validation.ts'
export { FINAL_STATES, JOB_STATES } from './core/states.ts'
export type { Role } from './core/scope.ts'
export type { FinalState, JobState } from './core/states.ts'
export { openMillrace } from './open-millrace.ts'
export type { CloseOptions, DoctorRunOptions, Maintenance, Millrace } from './open-millrace.ts'
export { applyMigration, planMigration } from './open-store.ts'
export type { MigrationOptions, Migration, MillraceOptions, MillracePool } from './open-store.ts'
export type { CleanupReport } from './maintenance/cleaning.ts'
export type { Cleanup } from './maintenance/cleanup.ts'
export { JobCleanupService } from './maintenance/job-cleanup-service.ts'
export type { Retention, RetentionRule, TypeRetention } from './core/retention.ts'
export type { DoctorProgress } from './maintenance/artifact-bytes.ts'
export type { DoctorFinding, DoctorReport } from './maintenance/doctor.ts'
export type { ReaperReport } from './maintenance/reaper.ts'
export type { LogFields, Logger } from './runtime/logger.ts'
export type { Runtime, Timer } from './runtime/runtime.ts'
export { onStopSignal } from './runtime/signals.ts'
export type { StopSignal } from './runtime/signals.ts'
export { systemRuntime } from './runtime/system-runtime.ts'
export type { StoppedBy } from './store/attempt-stops.ts'
export type { StateCounts, WorkerIdentity } from './store/jobs.ts'
export type { LockHolder } from './store/sessions.ts'
export type { CallerConnection, PostgresConnection } from './store/transactions.ts'
export { handle } from './worker/handler.ts'
export type { ContextOf, HandleOptions, Handler, HandlerBuilder, Isolation, PhaseFunction } from './worker/handler.ts'
export type {
  ArtifactBody,
  ArtifactOptions,
  ArtifactWriter,
  HandlerContext,
  JobLog,
  WrittenArtifact,
} from './worker/handler-context.ts'
export type { WorkOptions } from './worker/start-worker.ts'
export type { StopOptions, Worker, WorkerState } from './worker/worker.ts'
export type { WorkerReport } from './worker/worker-report.ts'
