import type {
  RefusalRecord,
  Registered,
  Transfer,
  Transferred,
  TypeRecord,
  TypeRegistration,
} from '../store/job-types.ts'
import type { Database } from './database.ts'
import { encodePolicy } from '../store/policy-text.ts'
import { refusalRecord, typeRecord } from '../store/records.ts'

const PUT_TYPE =
  'INSERT INTO millrace_types (name, service, queue, policy, registered_at, owned_since, epoch) VALUES (?, ?, ?, ?, ?, ?, 1) ' +
  'ON CONFLICT (name) DO UPDATE SET service = excluded.service, queue = excluded.queue, policy = excluded.policy, ' +
  'registered_at = excluded.registered_at, owned_since = ifnull(owned_since, excluded.owned_since), epoch = max(epoch, 1)'
const PRESENT_EPOCH = 'SELECT max(1, ifnull(max(epoch), 1)) AS epoch FROM millrace_types'

export function registerTypes(db: Database, service: string, registrations: readonly TypeRegistration[]): Registered {
  for (const { type } of registrations) {
    const known = db.findType(type)
    const owner = known?.service ?? service
    if (owner === service) continue
    if (known !== undefined) db.run(PUT_REFUSAL, known.n, service, db.now)
    return { accepted: false, type, service: owner }
  }
  for (const { type, queue, policy } of registrations)
    db.run(PUT_TYPE, type, service, queue, encodePolicy(policy), db.now, db.now)
  db.forget()
  return { accepted: true, epoch: Number(db.get(PRESENT_EPOCH)?.['epoch']) }
}

const PUT_REFUSAL =
  'INSERT INTO millrace_refusals (type, service, refused_at) VALUES (?, ?, ?) ' +
  'ON CONFLICT (type, service) DO UPDATE SET refused_at = excluded.refused_at'
const DROP_REFUSAL = 'DELETE FROM millrace_refusals WHERE type = ? AND service = ?'
const REFUSALS =
  'SELECT t.name AS type, r.service, r.refused_at FROM millrace_refusals AS r JOIN millrace_types AS t ON t.n = r.type ' +
  'ORDER BY r.refused_at DESC, t.name, r.service'

export function listRefusals(db: Database): readonly RefusalRecord[] {
  return db.all(REFUSALS).map(refusalRecord)
}

const TRANSFER =
  'UPDATE millrace_types SET service = ?, epoch = (SELECT max(epoch) + 1 FROM millrace_types), owned_since = ?, ' +
  'transferred_from = service, transferred_by = ?, transfer_reason = ? WHERE n = ?'

export function transferType(db: Database, { type, from, to, actor, reason }: Transfer): Transferred {
  const known = db.findType(type)
  if (known === undefined || known.service !== from) return { accepted: false, service: known?.service ?? null }
  db.run(TRANSFER, to, db.now, actor, reason, known.n)
  // What it was refused is its own now.
  db.run(DROP_REFUSAL, known.n, to)
  db.forget()
  return { accepted: true, epoch: Number(db.get(PRESENT_EPOCH)?.['epoch']) }
}

const TYPES =
  'SELECT name, service, queue, policy, registered_at, epoch, owned_since, transferred_from, transferred_by, transfer_reason ' +
  'FROM millrace_types ORDER BY name'

export function listTypes(db: Database): readonly TypeRecord[] {
  return db.all(TYPES).map(typeRecord)
}
