/** What must hold of every job after every step: it is sound, its history goes on without a gap, and nothing of it goes backwards. */
import { FINAL_EVENTS } from '../../src/core/events.ts'
import type { JobRow } from '../../src/core/job-row.ts'
import { isFinal } from '../../src/core/states.ts'
import { validateJob } from '../../src/core/validation.ts'
import type { EventRecord } from '../../src/store/events.ts'
import type { ModelJob, ModelState } from '../support/model-state.ts'

/** Whom it tells. */
interface Hearing {
  accuse(invariant: string, facts: string): void
  note(what: string): void
}

interface Seen {
  row: JobRow
  told: number
  lastSeq: number
  /** Final events by generation. */
  finals: Map<number, number>
}

const FINALS: ReadonlySet<string> = new Set(FINAL_EVENTS)

export class JobJudge {
  readonly #state: ModelState
  readonly #hearing: Hearing
  readonly #seen = new Map<string, Seen>()
  #lastPosition = 0
  unfinished = 0

  constructor(state: ModelState, hearing: Hearing) {
    this.#state = state
    this.#hearing = hearing
  }

  look(): void {
    let changed = false
    for (const job of this.#state.jobs.values()) {
      const seen = this.#seen.get(job.row.id)
      if (seen?.row === job.row) continue
      changed = true
      if (seen === undefined) this.#meet(job)
    }
    if (!changed && this.#lastPosition === (this.#state.events.at(-1)?.position ?? this.#lastPosition)) return
    this.#readLog()
    this.#judgeChanged()
  }

  #meet({ row }: ModelJob): void {
    this.#seen.set(row.id, { row, told: 0, lastSeq: 0, finals: new Map() })
  }

  #readLog(): void {
    for (const event of this.#unread()) {
      const seen = this.#seen.get(event.jobId)
      const facts = `${event.name}, number ${event.seq} of ${event.jobId}`
      this.#lastPosition = event.position
      if (seen === undefined) {
        this.#hearing.accuse('every event has its job', facts)
        return
      }
      if (event.seq !== seen.lastSeq + 1) this.#hearing.accuse('the events of a job have no gap', facts)
      this.#hearing.note(`    ${event.name} of ${shortId(event.jobId)}, a ${event.type}, attempt ${event.attempt}`)
      seen.told += 1
      seen.lastSeq = event.seq
      if (FINALS.has(event.name)) this.#countFinal(seen)
      if (event.name === 'job:deleted') this.#judgeDeleted(seen)
    }
  }

  /** Those of a job that is deleted are gone, but for the one that says so. */
  #unread(): readonly EventRecord[] {
    const { events } = this.#state
    const from = events.findLastIndex(({ position }) => position <= this.#lastPosition) + 1
    return events.slice(from)
  }

  #judgeDeleted({ row }: Seen): void {
    const { id } = row
    const gone = this.#state.gone.get(id)
    if (gone === undefined || this.#state.jobs.has(id))
      this.#hearing.accuse('a job that is told to be deleted is gone', id)
    else if (!isFinal(gone.row.state)) this.#hearing.accuse('only what is over is deleted', `${id}: ${gone.row.state}`)
    this.#seen.delete(id)
  }

  /** A generation that is over is followed by the next in another step, or by nothing. */
  #countFinal({ finals, row }: Seen): void {
    const { generation } = this.#state.jobs.get(row.id)?.row ?? row
    finals.set(generation, (finals.get(generation) ?? 0) + 1)
  }

  #judgeChanged(): void {
    this.unfinished = 0
    const unique = new Set<string>()
    for (const job of this.#state.jobs.values()) {
      const { row, made } = job
      if (!isFinal(row.state)) {
        this.unfinished += 1
        if (row.uniqueKey !== null) this.#judgeUnique(unique, `${made.tenant} ${made.type} ${row.uniqueKey}`)
      }
      const seen = this.#seen.get(row.id)
      if (seen === undefined || (seen.row === row && seen.lastSeq === row.eventSeq)) continue
      this.#judgeSteps(seen.row, row)
      this.#judgeSoundness(job, seen)
      seen.row = row
    }
  }

  #judgeUnique(unique: Set<string>, key: string): void {
    if (unique.has(key)) this.#hearing.accuse('no two unfinished jobs hold one unique key', key)
    unique.add(key)
  }

  #judgeSteps(before: JobRow, after: JobRow): void {
    if (before === after) return
    const facts = `${after.id}: ${before.state} at fence ${before.fence} became ${after.state} at fence ${after.fence}`
    if (after.fence < before.fence) this.#hearing.accuse('the fence never falls', facts)
    if (after.attempt < before.attempt) this.#hearing.accuse('attempts are never forgotten', facts)
    const lived = after.generation - before.generation
    if (lived !== 0 && (lived < 0 || !isFinal(before.state))) {
      this.#hearing.accuse('a new generation begins where a job was over', facts)
    }
    if (isFinal(before.state) && lived === 0 && after.state !== before.state) {
      this.#hearing.accuse('a job that is over stays as it is', facts)
    }
    const isSameAttempt = after.attempt === before.attempt && after.generation === before.generation
    if (isSameAttempt && after.state === 'running' && after.progress < before.progress) {
      this.#hearing.accuse('progress never falls within an attempt', facts)
    }
  }

  #judgeSoundness({ row, done }: ModelJob, { told, lastSeq, finals }: Seen): void {
    const events = { count: told, lastSeq, finals: finals.get(row.generation) ?? 0 }
    const [issue] = validateJob({ ...row, results: done.length, events })
    if (issue !== undefined) this.#hearing.accuse('every job is sound', `${row.id}: ${issue.code}. ${issue.message}`)
  }
}

/** The part of an id in which the jobs of one world differ. */
export function shortId(jobId: string): string {
  return jobId.slice(-6)
}
