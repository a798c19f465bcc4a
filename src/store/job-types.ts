import type { JobPolicy } from '../core/policy.ts'
import type { EntityNote, EvidenceQuery, EvidenceRecords } from './evidence.ts'

/** A type that a service is about to work on. */
export interface TypeRegistration {
  readonly type: string
  readonly queue: string
  readonly policy: JobPolicy
}

export interface TypeRecord extends TypeRegistration {
  /** The one service that works on it; null: nobody has registered it yet. */
  readonly service: string | null
  /** When its owner registered it last. */
  readonly registeredAt: number | null
  /** 0: nobody has registered it yet. Each hand-over gives it a higher one than any type of the store has. */
  readonly epoch: number
  /** Since when the service owns it. */
  readonly ownedSince: number | null
  /** Who handed it to its present owner; null: the owner was the first to register it. */
  readonly transfer: TransferRecord | null
}

export interface TransferRecord {
  /** The service that owned it before. */
  readonly from: string
  readonly by: string
  readonly reason: string | null
}

/** A hand-over that somebody asks for. */
export interface Transfer {
  readonly type: string
  readonly from: string
  readonly to: string
  readonly actor: string
  readonly reason: string | null
}

export type Transferred =
  | { readonly accepted: true; readonly epoch: number }
  /** Nothing was changed: `service` is the owner; null: nobody is. */
  | { readonly accepted: false; readonly service: string | null }

/** The latest time that a service was refused a type of another's. */
export interface RefusalRecord {
  readonly type: string
  readonly service: string
  readonly refusedAt: number
}

/** A type as a store remembers it: with its number, and its policy as it is written. */
export interface StoredType {
  readonly n: number
  readonly name: string
  readonly service: string | null
  readonly queue: string
  readonly policy: JobPolicy
  readonly policyText: string
}

export type Registered =
  /** `epoch`: for the sessions that work on the types. */
  | { readonly accepted: true; readonly epoch: number }
  /** Nothing was registered, and the refusal is kept: `type` belongs to `service`. */
  | { readonly accepted: false; readonly type: string; readonly service: string }

export interface JobTypeStore {
  /** All or none. The same service again: its newest policy counts. */
  register(service: string, registrations: readonly TypeRegistration[]): Promise<Registered>
  /**
   * Gives a type of `from` to `to`, with a new epoch. Sessions that were opened under an older one claim no more of it, whoever owns it later;
   * claims that are held go on.
   */
  transfer(transfer: Transfer): Promise<Transferred>
  list(): Promise<readonly TypeRecord[]>
  /** The latest first. */
  refusals(): Promise<readonly RefusalRecord[]>
  /** How the jobs of the types are worked on. Bounded, whatever there is in the store. */
  evidence(query: EvidenceQuery): Promise<EvidenceRecords>
  /** Keeps which jobs are over although what they were about is not. A note counts for a day, unless it is made again. */
  noteEntities(notes: readonly EntityNote[]): Promise<void>
}
