/** Looks at the store after every step, and at everything that is done to it: what must hold always, and what was rare. */
import { commandOf } from '../core/plan-commands.ts'
import type { CleanupTurn, TurnRequest } from '../../src/core/cleanup-turn.ts'
import type { JobRow } from '../../src/core/job-row.ts'
import { isFinal, mayMove } from '../../src/core/states.ts'
import type { IssueCode } from '../../src/core/validation.ts'
import type {
  Claimed,
  ClaimRequest,
  PlanCall,
  PlanResult,
  SweepReport,
  Taken,
  TakeRequest,
} from '../../src/store/claims.ts'
import type { Enqueued, NewJob } from '../../src/store/jobs.ts'
import type { Purged } from '../../src/store/retention.ts'
import { isAlive, policyOf } from '../support/model-state.ts'
import type { ModelState } from '../support/model-state.ts'
import { JobJudge } from './job-judge.ts'
import { noteApply, noteClaim, noteEnqueue, noteSweep, noteTurn } from './note-rarities.ts'
import type { Swept } from './note-rarities.ts'
import type { Probes } from './probes.ts'

export interface Violation {
  /** Its name, as it is told. */
  readonly invariant: string
  readonly facts: string
}

/** Who runs a job at a fence. */
interface Runner {
  readonly life: object
  readonly phases: Set<string>
}

export class Referee {
  readonly #state: ModelState
  readonly #probes: Probes
  readonly #jobs: JobJudge
  readonly #runners = new Map<string, Runner>()
  /** What was done in the present step, for whoever wants to read along. */
  readonly notes: string[] = []
  violation: Violation | null = null
  /** Calls of processes that have died, which are still on their way. */
  strays = 0
  /** Put into the store before a sweep looks at it; to show that the referee sees what comes of that. */
  beforeSweep: (state: ModelState) => void = () => {}

  constructor(state: ModelState, probes: Probes) {
    this.#state = state
    this.#probes = probes
    this.#jobs = new JobJudge(state, this)
  }

  /** The first counts: what follows may follow from it. */
  accuse(invariant: string, facts: string): void {
    this.violation ??= { invariant, facts }
  }

  note(what: string): void {
    this.notes.push(what)
  }

  /** To be called after each step. */
  look(): void {
    this.#jobs.look()
    const { artifacts, bytes } = this.#state
    for (const { name, jobId, path, sizeBytes } of artifacts) {
      if (bytes.get(path)?.length === sizeBytes) continue
      this.accuse('an artifact that is there has its bytes', `${name} of ${jobId} has not`)
    }
  }

  /** How many jobs are not over. */
  get unfinished(): number {
    return this.#jobs.unfinished
  }

  async watchApply(call: PlanCall, apply: () => Promise<PlanResult>): Promise<PlanResult> {
    const before = this.#state.jobs.get(call.jobId)?.row
    const isInTime = call.claim !== null && isAlive(this.#state, call.claim.holder)
    const result = await apply()
    const after = this.#state.jobs.get(call.jobId)?.row
    if (before !== undefined && after !== undefined) {
      if (result.applied) this.#judgeApply(call, before, after)
      noteApply(this.#probes, { call, before, after, result, isInTime })
    }
    return result
  }

  #judgeApply(call: PlanCall, before: JobRow, after: JobRow): void {
    const { plan, claim } = call
    const facts = `${plan.name} on ${describe(before)}`
    if (claim !== null && (before.holder !== claim.holder || before.fence !== claim.fence)) {
      this.accuse('a write is accepted only from the present claim', `${facts}, by fence ${claim.fence}`)
    }
    if (!mayMove(commandOf(plan), before.state, after.state)) {
      this.accuse('every move is one of the state machine', `${facts} made it ${after.state}`)
    }
    const isForced = plan.name.startsWith('force-')
    if (before.state === 'running' && before.cancelRequestedAt !== null && !isForced && !keepsCancel(after)) {
      this.accuse('a pending cancel is never lost', `${facts} made it ${after.state}`)
    }
  }

  async watchClaim(request: ClaimRequest, claim: () => Promise<Claimed>): Promise<Claimed> {
    const paused = [...this.#state.queues.values()].filter(({ pausedAt }) => pausedAt !== null)
    const isOpen = isAlive(this.#state, request.holder)
    const claimed = await claim()
    for (const { claim: taken, queue, type } of claimed.jobs) {
      const facts = `${taken.jobId} of ${type} in ${queue}`
      if (!isOpen && !isAlive(this.#state, request.holder)) this.accuse('only an open session claims', facts)
      if (paused.some(({ name }) => name === queue)) this.accuse('nothing of a paused queue is claimed', facts)
      if (!request.types.includes(type)) this.accuse('a worker claims only types that it has a handler for', facts)
    }
    const suspects = [...this.#state.jobs.values()].filter(({ row }) => row.holder === request.holder && row.suspect)
    if (suspects.length > 1) this.accuse('a session runs one suspect at a time', `${suspects.length} of them`)
    noteClaim(this.#probes, this.#state, request, claimed)
    return claimed
  }

  async watchTake({ jobId }: TakeRequest, take: () => Promise<Taken>): Promise<Taken> {
    const before = this.#state.jobs.get(jobId)?.row
    const taken = await take()
    const after = this.#state.jobs.get(jobId)?.row
    if (taken.outcome !== 'taken') {
      this.#probes.see('a job could not be had by hand')
      return taken
    }
    this.#probes.see('a job was taken by hand')
    const facts = before === undefined ? jobId : describe(before)
    if (before === undefined || isFinal(before.state) || before.state === 'running') {
      this.accuse('only a job that waits is taken by hand', facts)
    }
    if (after?.holder !== taken.claim.holder || after.fence !== taken.claim.fence) {
      this.accuse('whoever takes a job by hand has it', facts)
    }
    return taken
  }

  async watchPurge(purge: () => Promise<Purged>): Promise<Purged> {
    const purged = await purge()
    if (purged.jobs.length > 0) this.#probes.see('a job was deleted when its time had come')
    return purged
  }

  async watchTurn(request: TurnRequest, begin: () => Promise<CleanupTurn>): Promise<CleanupTurn> {
    const before = this.#state.turns.latest
    const turn = await begin()
    noteTurn(this.#probes, before, request, turn)
    return turn
  }

  /** Only whoever waits for the report of another process looks at the turn. */
  async watchReport(latest: () => Promise<CleanupTurn | null>): Promise<CleanupTurn | null> {
    const turn = await latest()
    const hasReport = turn !== null && turn.isWhole && turn.report !== null
    if (hasReport) this.#probes.see('a forced cleanup was given the report of another process')
    return turn
  }

  /** Nobody but Millrace writes to this store. */
  async watchRepair(repair: () => Promise<readonly IssueCode[]>): Promise<readonly IssueCode[]> {
    const repaired = await repair()
    if (repaired.length > 0) this.accuse('no job needs a repair', repaired.join(', '))
    return repaired
  }

  async watchSweep(sweep: () => Promise<SweepReport>): Promise<SweepReport> {
    const { jobs, sessions } = this.#state
    const hands = new Set([...sessions.values()].filter(({ hand }) => hand !== null).map(({ holder }) => holder))
    const before = [...jobs.values()].map((job) => {
      return { job, row: job.row, writtenAt: job.updatedAt, byHand: hands.has(job.row.holder ?? 0) }
    })
    const living = new Set([...sessions.keys()].filter((holder) => isAlive(this.#state, holder)))
    this.beforeSweep(this.#state)
    const report = await sweep()
    for (const swept of before) this.#judgeSwept(swept, living)
    noteSweep(this.#probes, before, report)
    return report
  }

  #judgeSwept({ job, row, writtenAt, byHand }: Swept, living: ReadonlySet<number>): void {
    const isLost = job.row.fence > row.fence && job.ended.at(-1)?.outcome === 'lost'
    if (!isLost || row.holder === null) return
    if (living.has(row.holder)) this.accuse('a live session keeps its jobs', describe(row))
    const silentMs = this.#state.clock.at - writtenAt
    const { quietMs } = policyOf(this.#state, job).lock
    if (byHand && silentMs < quietMs) {
      this.accuse(
        'whoever drives a job by hand keeps it while he writes',
        `${describe(row)}, silent for ${silentMs} ms`,
      )
    }
  }

  async watchEnqueue(
    jobs: readonly NewJob[],
    enqueue: () => Promise<readonly Enqueued[]>,
  ): Promise<readonly Enqueued[]> {
    const enqueued = await enqueue()
    noteEnqueue(this.#probes, jobs, enqueued)
    return enqueued
  }

  /** A handler begins a phase, in some life of some process. */
  begins(life: object, { jobId, fence, phase }: { jobId: string; fence: number; phase: string }): void {
    const key = `${jobId} ${fence}`
    const facts = `${phase} of ${jobId} at fence ${fence}`
    const runner = this.#runners.get(key)
    if (runner === undefined) this.#runners.set(key, { life, phases: new Set([phase]) })
    else if (runner.life !== life) this.accuse('a job has one runner at a fence', facts)
    else if (runner.phases.has(phase)) this.accuse('a phase is begun once at a fence', facts)
    else runner.phases.add(phase)
    const job = this.#state.jobs.get(jobId)
    if (job === undefined || job.row.holder === null || job.row.fence !== fence) return
    if (job.phaseNames[job.row.phase] !== phase) this.accuse('a phase begins when those before it are done', facts)
  }
}

function keepsCancel(row: JobRow): boolean {
  return row.state === 'running'
    ? row.cancelRequestedAt !== null
    : row.state === 'cancelled' || row.state === 'completed'
}

export function describe(row: JobRow): string {
  const { id, state, fence, attempt, generation, phase, phaseCount } = row
  const cancel = row.cancelRequestedAt === null || isFinal(state) ? '' : ', asked to stop'
  return `${id} (${state}${cancel}, fence ${fence}, attempt ${attempt}, generation ${generation}, phase ${phase} of ${phaseCount})`
}
