/**
 * Looks a store through: everything that must hold of it, page by page, so that nobody has to wait. What it finds it tells, with what is to be
 * done; what can be put right without losing anything it puts right, if it is asked to.
 */
import { readText } from '../core/classification/error-tree.ts'
import { DEFAULTS, LIMITS } from '../core/limits.ts'
import type { RedFlag } from '../core/red-flags.ts'
import { OPERATOR } from '../core/scope.ts'
import { validateJob } from '../core/validation.ts'
import type { Issue } from '../core/validation.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { BELONGINGS } from '../store/integrity.ts'
import type { AuditedJob, Belonging, KeptArtifact } from '../store/integrity.ts'
import type { Store } from '../store/store.ts'
import { Reading, faultOfBytes, keptArtifacts } from './artifact-bytes.ts'
import type { DoctorProgress } from './artifact-bytes.ts'
import { findRedFlags } from './find-red-flags.ts'
import { findOrphans, removeBytes } from './orphaned-bytes.ts'

export interface DoctorOptions {
  readonly store: Store
  readonly runtime: Runtime
  readonly logger: Logger
  /** Puts right what can be without losing anything. */
  readonly repair: boolean
  /** Reads the bytes of artifacts too, instead of counting them. */
  readonly deep: boolean
  /** Is told of a deep look how far it has come. */
  readonly onProgress: (progress: DoctorProgress) => void
}

export interface DoctorFinding {
  /** A stable name: that of an issue of a job, or one of the store's. See operations. */
  readonly code: string
  /** What was found, and why it matters. */
  readonly message: string
  /** The job, index, commit, file or session it is about; null: several, as many as `count` says. */
  readonly subject: string | null
  readonly count: number
  /** What is done about it; null: a person has to choose. */
  readonly repair: string | null
  readonly repaired: boolean
}

export interface DoctorReport {
  /** Epoch milliseconds by the store's clock. */
  readonly checkedAt: number
  /** How many jobs were looked at. */
  readonly jobs: number
  /** Whether nothing is wrong, or nothing any more. */
  readonly isSound: boolean
  /** At most 1,000, the first that were found. */
  readonly findings: readonly DoctorFinding[]
  /** How many there were besides. */
  readonly more: number
  /** Signs that jobs are worked on as they should not be. The store can be sound all the same. */
  readonly redFlags: readonly RedFlag[]
}

type NewFinding = Omit<DoctorFinding, 'repaired' | 'count'> & Partial<Pick<DoctorFinding, 'count'>>

const PAGE = 500

export async function examineStore(options: DoctorOptions): Promise<DoctorReport> {
  const examination = new Examination(options)
  return examination.run()
}

class Examination {
  readonly #options: DoctorOptions
  readonly #findings: DoctorFinding[] = []
  #more = 0
  #left = 0
  #jobs = 0

  constructor(options: DoctorOptions) {
    this.#options = options
  }

  async run(): Promise<DoctorReport> {
    const checkedAt = await this.#options.store.now()
    const isWhole = await this.#checkStore()
    if (isWhole) {
      await this.#checkJobs()
      for (const belonging of BELONGINGS) await this.#checkStrays(belonging)
      await this.#checkArtifacts()
      await this.#checkSessions(checkedAt)
    }
    const redFlags = isWhole ? await findRedFlags(this.#options.store) : []
    const isSound = this.#left === 0
    return { checkedAt, jobs: this.#jobs, isSound, findings: this.#findings, more: this.#more, redFlags }
  }

  /** Keeps the finding, and has it repaired where that is wanted and possible. */
  async #find(finding: NewFinding, repair: () => Promise<boolean>): Promise<void> {
    const repaired = this.#options.repair && finding.repair !== null && (await this.#attempt(finding, repair))
    if (!repaired) this.#left += 1
    if (this.#findings.length < LIMITS.doctorFindings) this.#findings.push({ count: 1, ...finding, repaired })
    else this.#more += 1
  }

  async #attempt({ code, subject }: NewFinding, repair: () => Promise<boolean>): Promise<boolean> {
    const { logger } = this.#options
    try {
      const repaired = await repair()
      if (repaired) logger.info('REPAIR', { code, subject })
      return repaired
    } catch (error) {
      logger.warn('What the doctor found could not be repaired.', { code, subject, error: readText(error) })
      return false
    }
  }

  /** False: it lacks tables, so that there is nothing to look at. */
  async #checkStore(): Promise<boolean> {
    const { integrity } = this.#options.store
    const faults = await integrity.faults()
    for (const fault of faults) await this.#find(fault, () => integrity.repairFault(fault))
    return faults.every(({ code }) => code !== 'table-missing')
  }

  async #checkJobs(): Promise<void> {
    const { integrity } = this.#options.store
    let after: string | null = null
    do {
      const page = await integrity.audit({ after, limit: PAGE })
      this.#jobs += page.jobs.length
      for (const job of page.jobs) await this.#checkJob(job)
      after = page.next
    } while (after !== null)
  }

  async #checkJob(job: AuditedJob): Promise<void> {
    const issues = validateJob(job)
    if (issues.length === 0) return
    const wanted = this.#options.repair && issues.some(({ repairable }) => repairable)
    const first: NewFinding = { ...foundInJob(job, issues[0]), repair: '' }
    const fixed = new Set<string>()
    const fix = async (): Promise<boolean> => {
      for (const code of await this.#options.store.integrity.repairJob(job.id)) fixed.add(code)
      return fixed.size > 0
    }
    if (wanted) await this.#attempt(first, fix)
    for (const issue of issues) await this.#find(foundInJob(job, issue), async () => fixed.has(issue.code))
  }

  async #checkStrays(belonging: Belonging): Promise<void> {
    const { integrity } = this.#options.store
    const strays: string[] = []
    let after: string | null = null
    do {
      const page = await integrity.strays(belonging, { after, limit: PAGE })
      strays.push(...page.strays)
      after = page.next
    } while (after !== null)
    if (strays.length === 0) return
    const finding = {
      code: `stray-${belonging}`,
      message: `${STRAYS[belonging]} of ${strays.length} jobs that are not there ${WHY_STRAYS}`,
      subject: null,
      count: strays.length,
      repair: 'They are deleted.',
    }
    await this.#find(finding, async () => {
      for (let from = 0; from < strays.length; from += PAGE) {
        await integrity.dropStrays(belonging, strays.slice(from, from + PAGE))
      }
      return true
    })
  }

  async #checkArtifacts(): Promise<void> {
    const { store, runtime, deep, onProgress } = this.#options
    const reading = deep ? await Reading.begin(store.integrity, onProgress) : null
    for await (const artifact of keptArtifacts(store.integrity)) await this.#checkBytes(artifact, reading)
    reading?.end()
    const search = { part: 0, parts: 1, ageMs: DEFAULTS.orphanFileMs, now: runtime.now() }
    for await (const orphans of findOrphans(store, search)) {
      for (const path of orphans) await this.#foundOrphan(path)
    }
  }

  async #foundOrphan(path: string): Promise<void> {
    const message = `Bytes at ${path} belong to no artifact, and take room.`
    await this.#find({ code: 'bytes-orphaned', message, subject: path, repair: 'They are removed.' }, async () => {
      await removeBytes(this.#options.store, [path])
      return true
    })
  }

  async #checkBytes(artifact: KeptArtifact, reading: Reading | null): Promise<void> {
    const { artifacts } = this.#options.store
    const fault = await faultOfBytes(artifacts.bytes, artifact, reading)
    const { id, jobId, path } = artifact
    // It may have been deleted meanwhile, with its job.
    if (fault === null || typeof (await artifacts.get(id, OPERATOR)) === 'string') return
    const { code, what } = fault
    const message = `The bytes of an artifact of job ${jobId}, at ${path}, ${what}. Retry the job from the start to have it made again.`
    await this.#find({ code, message, subject: id, repair: null }, async () => false)
  }

  async #checkSessions(now: number): Promise<void> {
    const { store, runtime } = this.#options
    const overdue = (await store.sessions.list()).filter(
      ({ endedAt, expiresAt }) => endedAt === null && expiresAt + DEFAULTS.cleanupMs <= now,
    )
    if (overdue.length === 0) return
    const finding = {
      code: 'session-overdue',
      message:
        `${overdue.length} sessions are open although their leases ran out long ago: nobody looks after the store, and their jobs wait. ` +
        'Start a worker, or open a Millrace with maintenance: true.',
      subject: null,
      count: overdue.length,
      repair: 'They are ended, and their jobs go back into the queue.',
    }
    await this.#find(finding, async () => {
      const { sessionsEnded } = await store.claims.sweep({ graceMs: 0, random: runtime.random() })
      return sessionsEnded > 0
    })
  }
}

function foundInJob({ id }: AuditedJob, issue: Issue | undefined): NewFinding {
  const { code = '', message = '', repairable = false } = issue ?? {}
  const repair = repairable ? 'The job is put right as its other columns say.' : null
  return { code, message: `${message} (${id})`, subject: id, repair }
}

const WHY_STRAYS = 'take room, and can be shown by nothing.'

const STRAYS: Readonly<Record<Belonging, string>> = {
  body: 'Inputs and outputs',
  label: 'Labels',
  phase: 'Results of phases',
  attempt: 'Attempts',
  event: 'Events',
  artifact: 'Artifacts',
  entity: 'Notes of unfinished entities',
  key: 'Idempotency keys whose time is over',
}
