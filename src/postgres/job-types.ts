import type { Registered, TypeRecord, TypeRegistration } from '../store/job-types.ts'
import { encodePolicy } from '../store/policy-text.ts'
import type { Transaction } from './database.ts'
import { typeRecord } from '../store/records.ts'
import type { RunRows } from './driver.ts'

// In one order, so that of two services that register at once one waits for the other and then finds the types taken.
const PUT =
  'INSERT INTO millrace.types AS t (name, service, queue, policy, timeout_ms, registered_at) ' +
  'SELECT v.name, $2, v.queue, v.policy, v.timeout_ms, $1 FROM unnest($3::text[], $4::text[], $5::text[], $6::bigint[]) AS v (name, queue, policy, timeout_ms) ' +
  'ORDER BY v.name ON CONFLICT (name) DO UPDATE SET service = excluded.service, queue = excluded.queue, policy = excluded.policy, ' +
  'timeout_ms = excluded.timeout_ms, registered_at = excluded.registered_at, revision = t.revision + 1 ' +
  'WHERE t.service IS NULL OR t.service = excluded.service RETURNING name'
const OWNERS = 'SELECT name, service FROM millrace.types WHERE name = ANY($1::text[])'

/** Thrown to undo a registration of which a part was refused. */
export class Conflict extends Error {
  readonly answer: Registered

  constructor(answer: Registered) {
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
  if (refused === undefined) return { accepted: true }
  const [row] = await tx.rows(OWNERS, [refused.type])
  throw new Conflict({ accepted: false, type: refused.type, service: String(row?.['service']) })
}

const TYPES = 'SELECT name, service, queue, policy, registered_at FROM millrace.types ORDER BY name COLLATE "C"'

export async function listTypes(run: RunRows): Promise<readonly TypeRecord[]> {
  return (await run(TYPES)).map(typeRecord)
}
