/** Who works on which type, and the hand-over of a type from one service to another. */
import { ConflictError, InvalidInputError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { isLive, worksOn } from '../core/ownership.ts'
import type { SessionRecord } from '../store/sessions.ts'
import type { Store } from '../store/store.ts'
import { checkKey, checkName, checkText, shown } from './names.ts'
import { checkOptions } from './option-values.ts'

/** A type and the service that works on it. Instants are epoch milliseconds. */
export interface TypeOwner {
  readonly type: string
  /** Null: no service has registered it, and nobody works on its jobs. */
  readonly service: string | null
  /** The queue that its jobs wait in, unless they were enqueued into another. */
  readonly queue: string
  /** Since when the service owns it. */
  readonly since: number | null
  /** When the service registered its definition last; after a hand-over that of the service before counts until then. */
  readonly registeredAt: number | null
  /** 0: nobody has registered it. Higher after each hand-over. */
  readonly epoch: number
  /** The hand-over that made the service its owner; null: it was the first to register it. */
  readonly transfer: { readonly from: string; readonly by: string; readonly reason: string | null } | null
  /** Live workers that take its jobs. */
  readonly liveWorkers: number
}

export interface TransferOptions {
  /** The service that owns the type now. */
  readonly from: string
  /** The service that is to own it. It need not be known yet. */
  readonly to: string
  /** Who hands it over, 1 to 200 characters. Default `system`. */
  readonly actor?: string
  /** Why, up to 1,000 characters. */
  readonly reason?: string
}

/** Every type that is known, by name. */
export async function listOwners(store: Store): Promise<readonly TypeOwner[]> {
  const [types, live] = await Promise.all([store.jobTypes.list(), liveSessions(store)])
  return types.map(({ type, service, queue, ownedSince: since, registeredAt, epoch, transfer }) => ({
    type,
    service,
    queue,
    since,
    registeredAt,
    epoch,
    transfer,
    liveWorkers: live.filter((session) => worksOn(session, { type, service, epoch })).length,
  }))
}

export async function findOwner(store: Store, type: string): Promise<string | null> {
  const name = checkName(type, 'type')
  return (await store.jobTypes.list()).find((known) => known.type === name)?.service ?? null
}

export async function findProcessors(
  store: Store,
  type: string,
  service: string | undefined,
): Promise<readonly SessionRecord[]> {
  const name = checkName(type, 'type')
  const wanted = service === undefined ? null : checkName(service, 'service')
  const [types, live] = await Promise.all([store.jobTypes.list(), liveSessions(store)])
  const known = types.find((record) => record.type === name)
  if (known === undefined) return []
  return live.filter((session) => worksOn(session, known) && (wanted === null || session.service === wanted))
}

async function liveSessions(store: Store): Promise<readonly SessionRecord[]> {
  const [now, sessions] = await Promise.all([store.now(), store.sessions.list()])
  return sessions.filter((session) => isLive(session, now))
}

const KNOWN: Readonly<Record<keyof TransferOptions, true>> = { from: true, to: true, actor: true, reason: true }

/** @throws ConflictError `owner-conflict` unless `from` is the present owner */
export async function transferType(store: Store, type: string, options: TransferOptions): Promise<TypeOwner> {
  const name = checkName(type, 'type')
  const { from, to, actor = 'system', reason } = checkOptions(options, KNOWN, 'options')
  checkName(from, 'from')
  if (checkName(to, 'to') === from) {
    throw new InvalidInputError({ path: 'to', expected: 'another service than from', received: shown(to) })
  }
  const transferred = await store.jobTypes.transfer({
    type: name,
    from,
    to,
    actor: checkKey(actor, 'actor'),
    reason: reason === undefined ? null : checkText(reason, { path: 'reason', maxCharacters: LIMITS.reasonCharacters }),
  })
  if (!transferred.accepted) throw notTheOwner(name, from, transferred.service)
  const owner = (await listOwners(store)).find((known) => known.type === name)
  if (owner === undefined) throw new RangeError(`the type ${name} is gone`)
  return owner
}

function notTheOwner(type: string, from: string, owner: string | null): ConflictError {
  const present =
    owner === null
      ? `nobody owns it: whoever starts a worker for it becomes its owner`
      : `its owner is the service "${owner}"`
  return new ConflictError(
    'owner-conflict',
    `The type ${type} can't be handed over from "${from}", for ${present}. Nothing was changed.`,
    { details: { type, owner, from } },
  )
}
