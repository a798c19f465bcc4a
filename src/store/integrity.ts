/** What a store can tell of its own soundness, page by page so that nobody waits for it, and the repairs that lose nothing. */
import type { Scope } from '../core/scope.ts'
import type { IssueCode, ValidatedJob } from '../core/validation.ts'

/** A job's row, with what was counted beside it. Its state may be none at all. */
export interface AuditedJob extends ValidatedJob {
  readonly unknown: readonly string[]
  readonly missing: readonly string[]
}

export interface Page {
  readonly after: string | null
  readonly limit: number
}

export interface AuditPage {
  readonly jobs: readonly AuditedJob[]
  readonly next: string | null
}

/** What belongs to a job and stands in a table of its own. Keys outlive their jobs: those alone count whose time is over. */
export const BELONGINGS = ['body', 'label', 'phase', 'attempt', 'event', 'artifact', 'entity', 'key'] as const

export type Belonging = (typeof BELONGINGS)[number]

export interface StrayPage {
  /** Names of what belongs to no job, each for all rows of a job that is not there. To be handed back to `dropStrays`. */
  readonly strays: readonly string[]
  readonly next: string | null
}

/** What is wrong with the store as a whole. */
export interface StoreFault {
  readonly code:
    | 'index-missing'
    | 'constraint-missing'
    | 'table-missing'
    | 'view-missing'
    | 'log-head-behind'
    | 'log-place-taken'
    | 'log-commit-missing'
  /** The object, or the place, that it is about. */
  readonly subject: string
  /** For people: what was found, what it does, and why that matters. */
  readonly message: string
  /** For people: what is done about it without losing anything; null: a person has to. */
  readonly repair: string | null
}

export interface KeptArtifact {
  readonly id: string
  readonly jobId: string
  readonly path: string
  readonly sizeBytes: number
  /** Hexadecimal. */
  readonly sha256: string
}

export interface ArtifactPage {
  readonly artifacts: readonly KeptArtifact[]
  readonly next: string | null
}

export interface IntegrityStore {
  /** Every job, in the order of the store. */
  audit(page: Page): Promise<AuditPage>
  auditOne(id: string, scope: Scope): Promise<AuditedJob | 'not-found' | 'forbidden'>
  /** Looks again, and puts right what `repairJob` of the core knows to. Answers what was; none: nothing was, or the store refused. */
  repairJob(id: string): Promise<readonly IssueCode[]>
  strays(belonging: Belonging, page: Page): Promise<StrayPage>
  /** Deletes those that still belong to no job. Answers how many rows that were. */
  dropStrays(belonging: Belonging, strays: readonly string[]): Promise<number>
  /** Schema and log. */
  faults(): Promise<readonly StoreFault[]>
  /** Looks again, and repairs a fault that has a repair. False: it is not there any more, or it could not be done. */
  repairFault(fault: Pick<StoreFault, 'code' | 'subject'>): Promise<boolean>
  /** Every artifact whose file is to be there. */
  artifacts(page: Page): Promise<ArtifactPage>
}
