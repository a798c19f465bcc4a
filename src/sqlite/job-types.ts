import type { Registered, TypeRecord, TypeRegistration } from '../store/job-types.ts'
import type { Database } from './database.ts'
import { encodePolicy } from '../store/policy-text.ts'
import { typeRecord } from '../store/records.ts'

const PUT_TYPE =
  'INSERT INTO millrace_types (name, service, queue, policy, registered_at) VALUES (?, ?, ?, ?, ?) ' +
  'ON CONFLICT (name) DO UPDATE SET service = excluded.service, queue = excluded.queue, policy = excluded.policy, ' +
  'registered_at = excluded.registered_at'

export function registerTypes(db: Database, service: string, registrations: readonly TypeRegistration[]): Registered {
  for (const { type } of registrations) {
    const owner = db.findType(type)?.service ?? null
    if (owner !== null && owner !== service) return { accepted: false, type, service: owner }
  }
  for (const { type, queue, policy } of registrations)
    db.run(PUT_TYPE, type, service, queue, encodePolicy(policy), db.now)
  db.forget()
  return { accepted: true }
}

const TYPES = 'SELECT name, service, queue, policy, registered_at FROM millrace_types ORDER BY name'

export function listTypes(db: Database): readonly TypeRecord[] {
  return db.all(TYPES).map(typeRecord)
}
