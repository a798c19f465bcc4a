/** Asks the services' own functions how the things stand that jobs were about, once the jobs are over. */
import type { EndedJob, EntityProbe, EntityStatus } from '../core/entity-status.ts'
import { decodeJson } from '../core/json.ts'
import { OPERATOR } from '../core/scope.ts'
import { isFinal } from '../core/states.ts'
import type { FinalState } from '../core/states.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { INPUT_LOST } from '../store/claims.ts'
import type { EndedRecord, EntityNote } from '../store/evidence.ts'
import type { JobDetails } from '../store/jobs.ts'
import type { Store } from '../store/store.ts'
import { lookBack } from './find-red-flags.ts'

/** The function of each type that this process works on and that has one. */
export type EntityProbes = ReadonlyMap<string, EntityProbe>

export interface AskEntities {
  readonly store: Store
  readonly runtime: Runtime
  readonly logger: Logger
  readonly probes: EntityProbes
}

/** An entity may come to its end a moment after its job. */
const GRACE_MS = 10_000
/** Jobs that one pass asks about, of each type. */
const ASKED_AT_ONCE = 20
const ANSWER_MS = 5_000
const STATUS_CHARACTERS = 100

/** Remembers which jobs' entities were found final: they are not asked about again. */
export class EntityAsker {
  readonly #options: Omit<AskEntities, 'probes'>
  /** With the time of the job's end, so that a job that is run again is asked about again. */
  #final = new Map<string, number>()
  /** In which pass each job was asked about last, so that all have their turn. */
  #askedIn = new Map<string, number>()
  #passes = 0

  constructor(options: Omit<AskEntities, 'probes'>) {
    this.#options = options
  }

  /** One pass: those that ended last, and those that were found unfinished before. */
  async ask(probes: EntityProbes): Promise<void> {
    if (probes.size === 0) return
    const { store } = this.#options
    const [now, { evidence }] = await Promise.all([store.now(), lookBack(store)])
    const { ended, entities } = evidence
    const known = [...entities, ...ended].filter(({ type, endedAt }) => probes.has(type) && endedAt <= now - GRACE_MS)
    const notes: EntityNote[] = []
    this.#passes += 1
    for (const [type, jobs] of Map.groupBy(known, (job) => job.type)) {
      const probe = probes.get(type)
      if (probe !== undefined) notes.push(...(await this.#askAll(probe, jobs)))
    }
    if (notes.length > 0) await store.jobTypes.noteEntities(notes)
    const still = new Set(ended.map(({ jobId }) => jobId))
    this.#final = new Map([...this.#final].filter(([jobId]) => still.has(jobId)))
    const present = new Set(known.map(({ jobId }) => jobId))
    this.#askedIn = new Map([...this.#askedIn].filter(([jobId]) => present.has(jobId)))
  }

  async #askAll(
    probe: EntityProbe,
    jobs: readonly Pick<EndedRecord, 'jobId' | 'endedAt'>[],
  ): Promise<readonly EntityNote[]> {
    const open = new Map(jobs.map(({ jobId, endedAt }) => [jobId, endedAt]))
    for (const [jobId, endedAt] of this.#final) if (open.get(jobId) === endedAt) open.delete(jobId)
    const lastPass = ([jobId]: readonly [string, number]): number => this.#askedIn.get(jobId) ?? 0
    const byTurn = [...open].toSorted((left, right) => lastPass(left) - lastPass(right))
    const asked = byTurn.slice(0, ASKED_AT_ONCE)
    for (const [jobId] of asked) this.#askedIn.set(jobId, this.#passes)
    const notes = await Promise.all(asked.map(([jobId, endedAt]) => this.#askOne(probe, jobId, endedAt)))
    return notes.filter((note) => note !== null)
  }

  /** Null: there is no answer. */
  async #askOne(probe: EntityProbe, jobId: string, endedAt: number): Promise<EntityNote | null> {
    const { store, runtime, logger } = this.#options
    const job = await store.jobs.get(jobId, OPERATOR)
    // Without its input nobody can say what a job was about.
    if (typeof job === 'string' || job.input === INPUT_LOST) return null
    const { state } = job
    if (!isFinal(state)) return null
    try {
      const { final, status } = await answerOf(runtime, () => probe(endedJob(job, state)))
      if (final) this.#final.set(jobId, endedAt)
      return { jobId, status: final ? null : status.slice(0, STATUS_CHARACTERS) }
    } catch (error) {
      logger.warn('How the entity of a job stands could not be found out.', { jobId, type: job.type, error })
      return null
    }
  }
}

function endedJob(job: JobDetails, state: FinalState): EndedJob {
  const { id: jobId, type, tenant, owner, labels, input, output } = job
  const decoded = { input: decodeJson(input), output: output === null ? null : decodeJson(output) }
  return { jobId, type, state, tenant, owner, labels, ...decoded }
}

async function answerOf(runtime: Runtime, ask: () => EntityStatus | Promise<EntityStatus>): Promise<EntityStatus> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = runtime.after(ANSWER_MS, () => reject(new RangeError(`no answer within ${ANSWER_MS} ms`)), {
    idle: true,
  })
  try {
    const asked = Promise.resolve().then(ask)
    return await Promise.race([asked, promise])
  } finally {
    timer.cancel()
  }
}
