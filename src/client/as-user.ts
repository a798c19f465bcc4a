/** Who a client acts as, from what an application says of one of its users. */
import { InvalidInputError } from '../core/errors.ts'
import type { Role, Scope } from '../core/scope.ts'
import { OPERATOR } from '../core/scope.ts'
import { checkKey, shown } from './names.ts'
import { checkChoice, checkOptions } from './option-values.ts'

/** A user of a tenant, or an operator, who is above tenants. */
export type AsOptions =
  | {
      /** The organization, 1 to 200 characters. */
      readonly tenant: string
      /** Who acts, 1 to 200 characters: owner of what is enqueued, and the actor of every act. */
      readonly user: string
      /** `member`: the own jobs. `admin`: all jobs of the tenant. */
      readonly role: 'member' | 'admin'
    }
  | { readonly user: string; readonly role: 'operator'; readonly tenant?: never }

export interface ActsAs {
  readonly scope: Scope
  readonly user: string
}

const ROLES: readonly Role[] = ['member', 'admin', 'operator']

/** @throws InvalidInputError */
export function actsAs(options: AsOptions): ActsAs {
  const { tenant, user, role }: { tenant?: string; user: string; role: Role } = checkOptions(options, KNOWN, 'options')
  checkChoice(role, ROLES, 'role')
  checkKey(user, 'user')
  if (role === 'operator') {
    if (tenant === undefined) return { scope: OPERATOR, user }
    throw new InvalidInputError({
      path: 'tenant',
      expected: 'nothing: an operator is above tenants',
      received: shown(tenant),
    })
  }
  const own = checkKey(tenant, 'tenant')
  return { scope: role === 'admin' ? { role, tenant: own } : { role, tenant: own, user }, user }
}

const KNOWN = { tenant: true, user: true, role: true } as const
