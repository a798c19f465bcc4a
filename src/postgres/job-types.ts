import type {
  RefusalRecord,
  Registered,
  Transfer,
  Transferred,
  TypeRecord,
  TypeRegistration,
} from '../store/job-types.ts'
import { encodePolicy } from '../store/policy-text.ts'
import type { Transaction } from './database.ts'
import { nullableText } from '../store/columns.ts'
import { refusalRecord, typeRecord } from '../store/records.ts'
import type { RunRows } from './driver.ts'

// In one order, so that of two services that register at once one waits for the other and then finds the types taken.
const PUT =
  'INSERT INTO millrace.types AS t (name, service, queue, policy, timeout_ms, registered_at, owned_since, epoch) ' +
  'SELECT v.name, $2, v.queue, v.policy, v.timeout_ms, $1, $1, 1 FROM unnest($3::text[], $4::text[], $5::text[], $6::bigint[]) AS v (name, queue, policy, timeout_ms) ' +
  'ORDER BY v.name ON CONFLICT (name) DO UPDATE SET service = excluded.service, queue = excluded.queue, policy = excluded.policy, ' +
  'timeout_ms = excluded.timeout_ms, registered_at = excluded.registered_at, revision = t.revision + 1, ' +
  'owned_since = coalesce(t.owned_since, excluded.owned_since), epoch = greatest(t.epoch, 1) ' +
  'WHERE t.service IS NULL OR t.service = excluded.service RETURNING name'
// In a statement of its own, after the rows are locked: it must see what was handed over before.
const PRESENT_EPOCH = 'SELECT greatest(max(epoch), 1) AS epoch FROM millrace.types'
const OWNERS = 'SELECT name, service FROM millrace.types WHERE name = ANY($1::text[])'

/** Thrown to undo a registration of which a part was refused. */
export class Conflict extends Error {
  readonly answer: Registered & { readonly accepted: false }

  constructor(answer: Registered & { readonly accepted: false }) {
    super('another service owns one of the types')
    this.answer = answer
  }
}

export async function registerTypes(
  tx: Transaction,
  service: string,
  registrations: readonly TypeRegistration[],
): Promise<Registered> {
  // The last of a name counts.
  const types = [...new Map(registrations.map((each) => [each.type, each])).values()]
  const rows = await tx.rows(
    PUT,
    tx.now,
    service,
    types.map(({ type }) => type),
    types.map(({ queue }) => queue),
    types.map(({ policy }) => encodePolicy(policy)),
    types.map(({ policy }) => policy.timeoutMs),
  )
  const accepted = new Set(rows.map((row) => String(row['name'])))
  const refused = registrations.find(({ type }) => !accepted.has(type))
  if (refused === undefined) return { accepted: true, epoch: await presentEpoch(tx) }
  const [row] = await tx.rows(OWNERS, [refused.type])
  throw new Conflict({ accepted: false, type: refused.type, service: String(row?.['service']) })
}

async function presentEpoch(tx: Transaction): Promise<number> {
  const [row] = await tx.rows(PRESENT_EPOCH)
  return Number(row?.['epoch'])
}

const PUT_REFUSAL =
  'INSERT INTO millrace.refusals (type, service, refused_at) SELECT n, $3, $1 FROM millrace.types WHERE name = $2 ' +
  'ON CONFLICT (type, service) DO UPDATE SET refused_at = excluded.refused_at'
const DROP_REFUSAL = 'DELETE FROM millrace.refusals WHERE type = $1 AND service = $2'
const REFUSALS =
  'SELECT t.name AS type, r.service, r.refused_at FROM millrace.refusals AS r JOIN millrace.types AS t ON t.n = r.type ' +
  'ORDER BY r.refused_at DESC, t.name COLLATE "C", r.service COLLATE "C"'

/** In a transaction of its own, since the registration was undone. */
export async function keepRefusal(tx: Transaction, service: string, type: string): Promise<void> {
  await tx.rows(PUT_REFUSAL, tx.now, type, service)
}

export async function listRefusals(run: RunRows): Promise<readonly RefusalRecord[]> {
  return (await run(REFUSALS)).map(refusalRecord)
}

// Locked first, so that the epoch is made of what all who registered before have seen.
const LOCK_TYPE = 'SELECT n, service FROM millrace.types WHERE name = $1 FOR UPDATE'
const TRANSFER =
  'UPDATE millrace.types AS t SET service = $2, epoch = (SELECT max(epoch) + 1 FROM millrace.types), owned_since = $1, ' +
  'transferred_from = t.service, transferred_by = $3, transfer_reason = $4, revision = t.revision + 1 WHERE t.n = $5 RETURNING t.epoch'

export async function transferType(tx: Transaction, { type, from, to, actor, reason }: Transfer): Promise<Transferred> {
  const [known] = await tx.rows(LOCK_TYPE, type)
  if (known?.['service'] !== from) return { accepted: false, service: nullableText(known?.['service']) }
  const n = Number(known['n'])
  const [row] = await tx.rows(TRANSFER, tx.now, to, actor, reason, n)
  // What it was refused is its own now.
  await tx.rows(DROP_REFUSAL, n, to)
  return { accepted: true, epoch: Number(row?.['epoch']) }
}

const TYPES =
  'SELECT name, service, queue, policy, registered_at, epoch, owned_since, transferred_from, transferred_by, transfer_reason ' +
  'FROM millrace.types ORDER BY name COLLATE "C"'

export async function listTypes(run: RunRows): Promise<readonly TypeRecord[]> {
  return (await run(TYPES)).map(typeRecord)
}
