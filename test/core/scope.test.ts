import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { canSee, canTouch, hiddenFrom, OPERATOR } from '../../src/core/scope.ts'
import type { Scope, Scoped } from '../../src/core/scope.ts'

const anns: Scoped = { tenant: 'acme', owner: 'ann' }
const nobodys: Scoped = { tenant: 'acme', owner: null }
const withoutTenant: Scoped = { tenant: '', owner: 'ann' }

const ann: Scope = { role: 'member', tenant: 'acme', user: 'ann' }
const bob: Scope = { role: 'member', tenant: 'acme', user: 'bob' }
const namesake: Scope = { role: 'member', tenant: 'other', user: 'ann' }
const admin: Scope = { role: 'admin', tenant: 'acme' }
const foreignAdmin: Scope = { role: 'admin', tenant: 'other' }

const rows: readonly { who: string; scope: Scope; what: string; job: Scoped; sees: boolean; touches: boolean }[] = [
  { who: 'the operator', scope: OPERATOR, what: "a member's job", job: anns, sees: true, touches: true },
  {
    who: 'the operator',
    scope: OPERATOR,
    what: 'a job without a tenant',
    job: withoutTenant,
    sees: true,
    touches: true,
  },
  { who: 'an admin', scope: admin, what: "a job of the tenant's member", job: anns, sees: true, touches: true },
  {
    who: 'an admin',
    scope: admin,
    what: 'a job of the tenant without an owner',
    job: nobodys,
    sees: true,
    touches: true,
  },
  { who: 'an admin', scope: admin, what: 'a job without a tenant', job: withoutTenant, sees: false, touches: false },
  { who: "another tenant's admin", scope: foreignAdmin, what: 'a job', job: anns, sees: false, touches: false },
  { who: 'the owner', scope: ann, what: 'the own job', job: anns, sees: true, touches: true },
  { who: 'another member', scope: bob, what: 'the job', job: anns, sees: true, touches: false },
  { who: 'a member', scope: ann, what: 'a job without an owner', job: nobodys, sees: true, touches: false },
  { who: 'a namesake in another tenant', scope: namesake, what: 'the job', job: anns, sees: false, touches: false },
  {
    who: 'a member',
    scope: ann,
    what: 'a job of the same owner without a tenant',
    job: withoutTenant,
    sees: false,
    touches: false,
  },
]

describe('who may see and touch a job', () => {
  for (const { who, scope, what, job, sees, touches } of rows) {
    test(`${who} ${sees ? 'sees' : 'does not see'} and ${touches ? 'may touch' : 'may not touch'} ${what}`, () => {
      assert.equal(canSee(scope, job), sees)
      assert.equal(canTouch(scope, job), touches)
      const hidden = sees ? 'forbidden' : 'not-found'
      assert.equal(hiddenFrom(scope, job), touches ? null : hidden)
    })
  }
})
