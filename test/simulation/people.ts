/** What people and programs do to the jobs of a simulated world: enqueue them, and interfere. */
import { MillraceError } from '../../src/core/errors.ts'
import { decodeJson } from '../../src/core/json.ts'
import { FORCE_FAIL, FORCE_RESET } from '../../src/core/plans.ts'
import type { Plan } from '../../src/core/plan.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { JobRetryOptions } from '../../src/client/act-on-job.ts'
import type { EnqueueOptions } from '../../src/client/new-job.ts'
import type { JobState } from '../../src/core/states.ts'
import type { Store } from '../../src/store/store.ts'
import { HandDriver } from './hand-driver.ts'
import { PHASES, QUEUES } from './mill-jobs.ts'
import type { Definition, Manner, MillInput } from './mill-jobs.ts'
import type { ProcessLife, Scene } from './process-life.ts'
import type { SeededChoice } from './seeded-choice.ts'

const ACTS = {
  enqueue: 6,
  enqueueMany: 1,
  askAgain: 0.5,
  drive: 3,
  cancel: 5,
  retry: 3,
  runNow: 1,
  forceFail: 0.7,
  forceReset: 0.7,
  pause: 0.6,
  resume: 0.8,
  wait: 0.7,
  cleanUp: 1.2,
} as const

/** How often a job is of each manner. */
const MANNERS_OFTEN: Readonly<Record<Manner, number>> = {
  quick: 3,
  slow: 3,
  heedful: 2,
  signal: 2,
  flaky: 2,
  hopeless: 1,
  fatal: 1,
  deaf: 1.2,
  endless: 0.6,
  extending: 0.7,
  telling: 1,
  writing: 2,
  blocking: 0.8,
  killing: 0.5,
}

export class People {
  /** Jobs whose enqueue was answered. */
  readonly acknowledged = new Set<string>()
  readonly #scene: Scene
  readonly #choice: SeededChoice
  readonly #definitions: readonly Definition[]
  readonly #underWay = new Map<Promise<unknown>, ProcessLife>()

  /** @param definitions what they may enqueue */
  constructor(scene: Scene, choice: SeededChoice, definitions: readonly Definition[]) {
    this.#scene = scene
    this.#choice = choice
    this.#definitions = definitions
  }

  /** Somebody does something through that process. Answers what, for whoever reads along. */
  act(life: ProcessLife): string {
    const { mill, link } = life
    const act = this.#choice.weighted(ACTS)
    const jobId = this.#anyJob()
    if (act === 'enqueue' || jobId === null) return this.enqueue(life)
    if (act === 'cancel' && this.#choice.chance(0.5)) return this.cancelRunning(life)
    switch (act) {
      case 'askAgain':
        return this.#askAgain(life)
      case 'drive':
        return this.#drive(life)
      case 'enqueueMany':
        return this.enqueueMany(life, this.#choice.between(2, 4))
      case 'cancel':
        return this.#cancel(life, jobId)
      case 'retry':
        return this.#began(life, act, mill.retry(jobId, this.#retryOptions()))
      case 'runNow':
        return this.#began(life, act, mill.runNow(jobId))
      case 'forceFail':
        return this.#began(life, act, force(link.store, jobId, FORCE_FAIL))
      case 'forceReset':
        return this.#began(life, act, force(link.store, jobId, FORCE_RESET))
      case 'pause':
        return this.#began(life, act, mill.pauseQueue(this.#choice.pick(QUEUES)))
      case 'resume':
        return this.#began(life, act, mill.resumeQueue(this.#choice.pick(QUEUES)))
      case 'cleanUp':
        return this.#began(life, act, mill.cleanup.forceCleanup())
      case 'wait':
        return this.#began(life, act, mill.waitFor(jobId, { timeout: '20s' }))
    }
  }

  /** A job that runs, if there is one. */
  cancelRunning(life: ProcessLife): string {
    const jobId = this.#anyJob('running') ?? this.#anyJob()
    return jobId === null ? this.enqueue(life) : this.#cancel(life, jobId)
  }

  #cancel(life: ProcessLife, jobId: string): string {
    return this.#began(life, 'cancel', life.mill.cancel(jobId, { actor: 'ann', reason: 'not wanted' }))
  }

  enqueue(life: ProcessLife): string {
    const definition = this.#choice.pick(this.#definitions)
    const options = this.#options()
    // A key is of use where the same is asked for again.
    const isRepeated = options.key !== undefined && this.#choice.chance(0.6)
    const input: MillInput = isRepeated ? { manner: 'slow', ms: 300 } : this.#input()
    const enqueued = life.mill.enqueue(definition, input, options)
    const noted = enqueued.then(({ job }) => this.acknowledged.add(job.id))
    return this.#began(life, `enqueue ${definition.name} ${input.manner}`, noted)
  }

  /** Once more what was asked for with a key, as somebody does who has not heard that it was done and deleted. */
  #askAgain(life: ProcessLife): string {
    const keyed = [...this.#scene.model.state.gone.values()].flatMap(({ made: { type, key, input } }) => {
      const definition = this.#definitions.find(({ name }) => name === type)
      return key === null || definition === undefined ? [] : [{ definition, key, input }]
    })
    if (keyed.length === 0) return this.enqueue(life)
    const { definition, key, input } = this.#choice.pick(keyed)
    const asked = life.mill.enqueue(definition, decodeJson(input), { key })
    const noted = asked.then(({ job }) => this.acknowledged.add(job.id))
    return this.#began(life, `ask for ${key} again`, noted)
  }

  /** Takes a job by hand, one that waits if there is one. */
  #drive(life: ProcessLife): string {
    const jobId = this.#anyJob('queued') ?? this.#anyJob()
    if (jobId === null) return this.enqueue(life)
    const driver = new HandDriver(this.#scene, life, this.#choice.fork())
    return this.#began(life, `drive ${driver.manner}`, driver.drive(jobId))
  }

  enqueueMany(life: ProcessLife, count: number, manner?: Manner): string {
    const items = Array.from({ length: count }, () => {
      return { definition: this.#choice.pick(this.#definitions), input: this.#input(manner) }
    })
    const added = life.mill.enqueueMany(items)
    const noted = added.then((results) => results.forEach(({ job }) => this.acknowledged.add(job.id)))
    return this.#began(life, `enqueue ${count} jobs`, noted)
  }

  /** Whether everything has been answered that somebody is left to hear of. */
  get atRest(): boolean {
    return [...this.#underWay.values()].every(({ life }) => life === 'gone')
  }

  #retryOptions(): JobRetryOptions {
    if (this.#choice.chance(0.3)) return { fromStart: true }
    return this.#choice.chance(0.3) ? { from: this.#choice.pick(PHASES) } : {}
  }

  #input(manner: Manner = this.#choice.weighted(MANNERS_OFTEN)): MillInput {
    return { manner, ms: this.#choice.between(20, 2_500) }
  }

  #options(): EnqueueOptions {
    const choice = this.#choice
    return {
      ...(choice.chance(0.2) ? { key: `order-${choice.between(1, 3)}` } : {}),
      ...(choice.chance(0.2) ? { unique: `mill-${choice.between(1, 2)}` } : {}),
      ...(choice.chance(0.25) ? { delay: choice.between(1, 6_000) } : {}),
      ...(choice.chance(0.2) ? { priority: choice.between(-2, 2) } : {}),
    }
  }

  /** Refused, unanswered or in vain: what counts is what the store says in the end. */
  #began(life: ProcessLife, act: string, acting: Promise<unknown>): string {
    this.#underWay.set(acting, life)
    void acting
      .catch((error: unknown) => {
        if (error instanceof MillraceError) return
        this.#scene.referee.accuse('people are told of errors by their codes', `${act}: ${String(error)}`)
      })
      .finally(() => this.#underWay.delete(acting))
    return act
  }

  #anyJob(state?: JobState): string | null {
    const jobs = [...this.#scene.model.state.jobs.values()].filter(
      ({ row }) => state === undefined || row.state === state,
    )
    return jobs.length === 0 ? null : this.#choice.pick(jobs).row.id
  }
}

/** An act of an administrator, to which there is no other door yet. */
async function force({ claims, jobs }: Store, jobId: string, plan: Plan): Promise<void> {
  const seen = await jobs.get(jobId, OPERATOR)
  if (typeof seen === 'string') return
  const { generation: seenGeneration, fence: seenFence } = seen
  const values = { actor: 'root', reason: 'stuck', phase: 0, seenGeneration, seenFence }
  await claims.apply({ jobId, plan, scope: OPERATOR, claim: null, values, detail: null })
}
