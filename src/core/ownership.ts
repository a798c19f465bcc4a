/** Who may work on a type. Stores say the same in their claims. */

/** What a store keeps of a type. */
export interface Ownership {
  readonly type: string
  /** Null: nobody owns it yet. */
  readonly service: string | null
  readonly epoch: number
}

/** What a store keeps of a worker's session. */
export interface Working {
  readonly service: string
  /** The types that it has handlers for. */
  readonly types: readonly string[]
  /** Of the registration of its types. */
  readonly epoch: number
}

/** Whether its lease lasts: it is open, and gave a sign of life in time. Stores say the same in their claims. */
export function isLive(
  { endedAt, expiresAt }: { readonly endedAt: number | null; readonly expiresAt: number },
  now: number,
): boolean {
  return endedAt === null && expiresAt > now
}

/**
 * Whether the session takes jobs of the type: it has a handler, its service owns the type, and the type was not handed over since the
 * session's registration. So a worker from before a hand-over takes none afterwards, not even when the type has come back: its definition
 * is not the one that was registered.
 */
export function worksOn(session: Working, { type, service, epoch }: Ownership): boolean {
  return session.types.includes(type) && session.service === service && session.epoch >= epoch
}
