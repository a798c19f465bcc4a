import type { PlanContext } from '../../src/core/interpret.ts'
import type { Claim } from '../../src/core/job-row.ts'
import type { PlanValues } from '../../src/core/plan.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Scope } from '../../src/core/scope.ts'
import { NOW } from './job-rows.ts'

export const ann: Scope = { role: 'member', tenant: 'acme', user: 'ann' }
export const bob: Scope = { role: 'member', tenant: 'acme', user: 'bob' }
export const admin: Scope = { role: 'admin', tenant: 'acme' }
export const foreign: Scope = { role: 'admin', tenant: 'other' }

/** What stands around a job, where it matters. */
export interface Around {
  readonly scope?: Scope
  readonly claim?: Claim | null
  readonly alive?: boolean
  readonly held?: boolean
  readonly values?: PlanValues
}

export function contextWith({
  scope = OPERATOR,
  claim = null,
  alive = false,
  held = false,
  values = {},
}: Around): PlanContext {
  return { now: NOW, scope, claim, values, sessionAlive: () => alive, uniqueHeld: () => held }
}
