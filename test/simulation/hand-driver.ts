/** Somebody who drives one job by hand through a process of a simulated world, and does with it all that people do, also nothing any more. */
import { JobManager } from '../../src/client/job-manager.ts'
import { LeaseLostError } from '../../src/core/errors.ts'
import { decodeLockId } from '../../src/core/lock-id.ts'
import type { Mark } from './mill-jobs.ts'
import type { ProcessLife, Scene } from './process-life.ts'
import type { SeededChoice } from './seeded-choice.ts'

/** How often a driver is of each manner. */
const MANNERS_OFTEN = {
  /** Writes now and then, and completes the job. */
  steady: 3,
  /** Writes nothing until it is late, and then completes the job, if it still may. */
  late: 2,
  /** Falls silent somewhere on the way. */
  silent: 2,
  failing: 1,
  releasing: 0.7,
} as const

type Manner = keyof typeof MANNERS_OFTEN

/** What is driven: all but the job belongs to this lock. */
interface Driven {
  readonly jobId: string
  readonly fence: number
  readonly generation: number
}

export class HandDriver {
  readonly manner: Manner
  readonly #scene: Scene
  readonly #life: ProcessLife
  readonly #choice: SeededChoice
  readonly #jobs: JobManager

  constructor(scene: Scene, life: ProcessLife, choice: SeededChoice) {
    this.#scene = scene
    this.#life = life
    this.#choice = choice
    this.manner = choice.weighted(MANNERS_OFTEN)
    this.#jobs = new JobManager(life.mill, { actor: 'ann' })
  }

  /** Rejects where the store refuses or does not answer: whoever drives gives up then, and says nothing of it. */
  async drive(jobId: string): Promise<void> {
    const started = await this.#jobs.startProcessing(jobId)
    if (!started.success) return
    const { generation, phases } = await this.#life.mill.get(jobId)
    const driven = { jobId, fence: decodeLockId(started.lockId)?.fence ?? 0, generation }
    const left = phases.filter(({ state }) => state !== 'done').map(({ name }) => name)
    try {
      for (const [index, phase] of left.entries()) {
        const goesOn = await this.#drivePhase(driven, phase, index === left.length - 1)
        if (!goesOn) return
      }
    } catch (error) {
      // The lock is lost, and the job with it: nothing is left to do.
      if (!(error instanceof LeaseLostError)) throw error
    }
  }

  /** False: that was the end, of the job or of what this driver does. */
  async #drivePhase(driven: Driven, phase: string, isLast: boolean): Promise<boolean> {
    const { jobId } = driven
    this.#scene.referee.begins(this.#life, { ...driven, phase })
    const isAsked = await this.#work(jobId)
    if (isAsked && this.#choice.chance(0.7)) {
      await this.#jobs.transitionJobState(jobId, 'processing', 'cancelled')
      return false
    }
    if (this.manner === 'silent' && (isLast || this.#choice.chance(0.5))) return false
    if (this.manner === 'failing' && (isLast || this.#choice.chance(0.4))) {
      await this.#jobs.failJob(jobId, 'the letter is torn')
      return false
    }
    if (this.manner === 'releasing' && (isLast || this.#choice.chance(0.4))) {
      await this.#jobs.releaseJob(jobId)
      return false
    }
    await this.#finish(driven, phase, isLast)
    return !isLast
  }

  /** Answers whether somebody wants the job to stop. */
  async #work(jobId: string): Promise<boolean> {
    if (this.manner === 'late') {
      await this.#life.wait(this.#choice.between(2_500, 9_000))
      return false
    }
    let isAsked = false
    for (let step = this.#choice.between(0, 3); step > 0 && !isAsked; step -= 1) {
      await this.#life.wait(this.#choice.between(50, 1_200))
      const written = this.#choice.chance(0.7)
        ? await this.#jobs.updateProgress(jobId, this.#choice.between(1, 60))
        : await this.#jobs.extendJobLock(jobId, undefined, this.#choice.between(1, 4_000))
      isAsked = written.cancelRequested
    }
    return isAsked
  }

  async #finish({ jobId, fence, generation }: Driven, phase: string, isLast: boolean): Promise<void> {
    const mark: Mark = { phase, fence, generation }
    this.#scene.ledger.enter({ jobId, ...mark })
    await (isLast ? this.#jobs.completeJob(jobId, { output: mark }) : this.#jobs.completePhase(jobId, mark))
  }
}
