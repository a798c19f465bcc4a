/** Who asks. Every method of a store takes a scope, and none has a default: what a caller may see and touch is part of each statement. */

export type Scope =
  | { readonly role: 'operator' }
  | { readonly role: 'admin'; readonly tenant: string }
  | { readonly role: 'member'; readonly tenant: string; readonly user: string }

export type Role = Scope['role']

/** Above all tenants. */
export const OPERATOR: Scope = { role: 'operator' }

/** The two facts of a job that scopes look at. A job without a tenant has the tenant `''`; one without an owner is the tenant admin's. */
export interface Scoped {
  readonly tenant: string
  readonly owner: string | null
}

/** Another tenant's job is as good as not there. */
export function canSee(scope: Scope, job: Scoped): boolean {
  return scope.role === 'operator' || scope.tenant === job.tenant
}

/** A member may touch only what is the member's own. */
export function canTouch(scope: Scope, job: Scoped): boolean {
  if (!canSee(scope, job)) return false
  return scope.role !== 'member' || scope.user === job.owner
}

/** How a job that was looked for looks to the one who asks; null: it may be seen. */
export function hiddenFrom(scope: Scope, job: Scoped): 'not-found' | 'forbidden' | null {
  if (!canSee(scope, job)) return 'not-found'
  return canTouch(scope, job) ? null : 'forbidden'
}
