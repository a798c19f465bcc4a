import type { JobPolicy } from '../core/policy.ts'

/** A type that a service is about to work on. */
export interface TypeRegistration {
  readonly type: string
  readonly queue: string
  readonly policy: JobPolicy
}

export interface TypeRecord extends TypeRegistration {
  /** The one service that works on it; null: nobody has registered it yet. */
  readonly service: string | null
  readonly registeredAt: number | null
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
  | { readonly accepted: true }
  /** Nothing was registered: `type` belongs to `service`. */
  | { readonly accepted: false; readonly type: string; readonly service: string }

export interface JobTypeStore {
  /** All or none. The same service again: its newest policy counts. */
  register(service: string, registrations: readonly TypeRegistration[]): Promise<Registered>
  list(): Promise<readonly TypeRecord[]>
}
