/** Signs that something is wrong with the way jobs are worked on, from what the store tells. */
import { redFlagsOf, sameWindow } from '../core/red-flags.ts'
import type { EndedEvidence, RedFlag } from '../core/red-flags.ts'
import type { EndedRecord } from '../store/evidence.ts'
import type { Store } from '../store/store.ts'

/** Jobs of each final state that are looked at, those that ended last. */
const ENDED_LIMIT = 500
const ENTITY_LIMIT = 100

/** A few reads, whose costs don't grow with the number of jobs. */
export async function findRedFlags(store: Store): Promise<readonly RedFlag[]> {
  const [now, types, sessions, refusals, { waiting, ended, entities }] = await Promise.all([
    store.now(),
    store.jobTypes.list(),
    store.sessions.list(),
    store.jobTypes.refusals(),
    store.jobTypes.evidence({ endedLimit: ENDED_LIMIT, entityLimit: ENTITY_LIMIT }),
  ])
  return redFlagsOf({
    now,
    types: types.map(({ type, service, epoch, policy: { expect } }) => {
      return { type, service, epoch, expect, waiting: waiting.get(type) ?? 'none' }
    }),
    sessions: sessions.filter(({ endedAt, expiresAt }) => endedAt === null && expiresAt > now),
    refusals,
    // What people do by hand tells nothing of how the type's workers do.
    ended: sameWindow(ended.filter(isOutcome), ENDED_LIMIT).filter(({ byHand }) => !byHand),
    entities,
  })
}

function isOutcome(job: EndedRecord): job is EndedRecord & Pick<EndedEvidence, 'state'> {
  return job.state !== 'cancelled'
}
