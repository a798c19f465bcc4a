/** For whom the store is asked, and in whose name acts are written down. */
import { ForbiddenError } from '../core/errors.ts'
import type { Scope } from '../core/scope.ts'
import type { Store } from '../store/store.ts'
import { checkKey } from './names.ts'

/** The store, and for whom it is asked. */
export interface Asker {
  readonly store: Store
  readonly scope: Scope
  /** Null: nobody in particular, who may name any actor. */
  readonly user: string | null
}

/**
 * In whose name an act is: a user's own, always.
 *
 * @throws ForbiddenError where a user names another one, InvalidInputError for what is no actor
 */
export function actorOf({ user }: Pick<Asker, 'user'>, actor: string | undefined): string {
  const named = actor === undefined ? null : checkKey(actor, 'actor')
  if (user === null) return named ?? 'system'
  if (named === null || named === user) return user
  throw new ForbiddenError('forbidden', `${user} can't act in the name of ${named}. Leave out the actor.`, {
    details: { actor: named, user },
  })
}
