/** What a job was about: the book, the order, the course. Millrace does not keep it, so it asks. */
import type { Json } from './json.ts'
import type { FinalState } from './states.ts'

/** A job that is over, for whoever tells how its entity stands. */
export interface EndedJob<Input = unknown> {
  readonly jobId: string
  readonly type: string
  readonly state: FinalState
  readonly tenant: string
  readonly owner: string | null
  readonly labels: Readonly<Record<string, string>>
  /** As it was enqueued. */
  readonly input: Input
  /** Null unless it completed. */
  readonly output: Json
}

export interface EntityStatus {
  /** Whether the entity is done with, well or not. False: it still looks as if its job were running. */
  readonly final: boolean
  /** What it is called, for people: `PROCESSING`. */
  readonly status: string
}

/** Tells how a job's entity stands. Called a while after the job has ended, by a process that works on its type. */
export type EntityProbe<Input = unknown> = (job: EndedJob<Input>) => EntityStatus | Promise<EntityStatus>
