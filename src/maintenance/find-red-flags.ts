/** Signs that something is wrong with the way jobs are worked on, from what the store tells. */
import { isLive } from '../core/ownership.ts'
import { redFlagsOf, sameWindow } from '../core/red-flags.ts'
import type { EndedEvidence, RedFlag } from '../core/red-flags.ts'
import type { EndedRecord, EvidenceRecords } from '../store/evidence.ts'
import type { TypeRecord } from '../store/job-types.ts'
import type { Store } from '../store/store.ts'

/** So many of the jobs that ended last are looked at, of each final state, and shared out among the types. */
const ENDED_IN_ALL = 2_000
/** Of each type: as many as two workers need to be compared, and a few more; and no more than tell anything. */
const ENDED_LEAST = 25
const ENDED_MOST = 500
const ENTITIES = 100

export interface LookedBack {
  readonly types: readonly TypeRecord[]
  readonly evidence: EvidenceRecords
  /** How many jobs that ended last were asked for, of each type and final state. */
  readonly endedLimit: number
}

/** A few reads, whose costs don't grow with the number of jobs. */
export async function lookBack({ jobTypes }: Store): Promise<LookedBack> {
  const types = await jobTypes.list()
  const share = Math.floor(ENDED_IN_ALL / Math.max(1, types.length))
  const endedLimit = Math.min(ENDED_MOST, Math.max(ENDED_LEAST, share))
  return { types, evidence: await jobTypes.evidence({ endedLimit, entityLimit: ENTITIES }), endedLimit }
}

export async function findRedFlags(store: Store): Promise<readonly RedFlag[]> {
  const [now, sessions, refusals, { types, evidence, endedLimit }] = await Promise.all([
    store.now(),
    store.sessions.list(),
    store.jobTypes.refusals(),
    lookBack(store),
  ])
  const { waiting, ended, entities } = evidence
  const outcomes = [...Map.groupBy(ended.filter(isOutcome), ({ type }) => type).values()]
  return redFlagsOf({
    now,
    types: types.map(({ type, service, epoch, policy: { expect } }) => {
      return { type, service, epoch, expect, waiting: waiting.get(type) ?? 'none' }
    }),
    sessions: sessions.filter((session) => isLive(session, now)),
    refusals,
    // What people do by hand tells nothing of how the type's workers do.
    ended: outcomes.flatMap((ofType) => sameWindow(ofType, endedLimit)).filter(({ byHand }) => !byHand),
    entities,
  })
}

function isOutcome(job: EndedRecord): job is EndedRecord & Pick<EndedEvidence, 'state'> {
  return job.state !== 'cancelled'
}
