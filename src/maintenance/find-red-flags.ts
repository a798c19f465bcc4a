/** Signs that something is wrong with the way jobs are worked on, from what the store tells. */
import { isLive } from '../core/ownership.ts'
import { redFlagsOf, sameWindow } from '../core/red-flags.ts'
import type { EndedEvidence, RedFlag } from '../core/red-flags.ts'
import type { EndedRecord, EvidenceQuery } from '../store/evidence.ts'
import type { Store } from '../store/store.ts'

/** How far they look back; so far their entities are asked about, too. */
export const LOOK_BACK: EvidenceQuery = { endedLimit: 500, entityLimit: 100 }

/** A few reads, whose costs don't grow with the number of jobs. */
export async function findRedFlags(store: Store): Promise<readonly RedFlag[]> {
  const [now, types, sessions, refusals, { waiting, ended, entities }] = await Promise.all([
    store.now(),
    store.jobTypes.list(),
    store.sessions.list(),
    store.jobTypes.refusals(),
    store.jobTypes.evidence(LOOK_BACK),
  ])
  return redFlagsOf({
    now,
    types: types.map(({ type, service, epoch, policy: { expect } }) => {
      return { type, service, epoch, expect, waiting: waiting.get(type) ?? 'none' }
    }),
    sessions: sessions.filter((session) => isLive(session, now)),
    refusals,
    // What people do by hand tells nothing of how the type's workers do.
    ended: sameWindow(ended.filter(isOutcome), LOOK_BACK.endedLimit).filter(({ byHand }) => !byHand),
    entities,
  })
}

function isOutcome(job: EndedRecord): job is EndedRecord & Pick<EndedEvidence, 'state'> {
  return job.state !== 'cancelled'
}
