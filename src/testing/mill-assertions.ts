import type { DefinitionIn, JobReference } from '../client/job-values.ts'
import type { Job } from '../client/job.ts'
import type { JobDefinition } from '../core/definition.ts'
import type { Millrace } from '../open-millrace.ts'
import { monitorProcessing, waitForCompletion } from './completion.ts'
import type { Monitored } from './completion.ts'
import { assertEnqueued, refuteEnqueued } from './enqueued.ts'
import { assertEveryTypeOwned, assertOneOwner } from './ownership.ts'
import type { EnqueuedFilter, EnqueuedOptions } from './enqueued.ts'

/** What can be asserted of a Millrace, in memory or in production. Whatever does not hold is an AssertionError of `node:assert`. */
export class MillAssertions {
  readonly mill: Millrace

  /** @internal */
  constructor(mill: Millrace) {
    this.mill = mill
  }

  /**
   * Jobs of the type have been enqueued.
   *
   * @example
   *     await assertEnqueued(sendMail, { input: { to: 'ann@example.org' }, count: 1 })
   * @returns those that match, oldest first
   * @throws AssertionError that lists what was enqueued instead
   */
  async assertEnqueued<Definition extends JobDefinition>(
    definition: Definition,
    options: EnqueuedOptions<Definition> = {},
  ): Promise<readonly Job<undefined>[]> {
    return assertEnqueued(this.mill, definition, options)
  }

  /**
   * No such job has been enqueued.
   *
   * @throws AssertionError that lists those that have
   */
  async refuteEnqueued<Definition extends JobDefinition>(
    definition: Definition,
    filter: EnqueuedFilter<Definition> = {},
  ): Promise<void> {
    return refuteEnqueued(this.mill, definition, filter)
  }

  /**
   * Each of the types is owned by one service. Of a type that is given by its definition, that has to be the service that it names.
   *
   * @returns the owner of each, by the type's name
   * @throws AssertionError that tells of each type what is wrong with it
   */
  async assertOneOwner(types: readonly (JobDefinition | string)[]): Promise<Readonly<Record<string, string>>> {
    return assertOneOwner(this.mill, types)
  }

  /**
   * Every type that the store knows, be it by a job alone, is owned by a service.
   *
   * @throws AssertionError that lists those that are not, with the jobs that wait for nobody
   */
  async assertEveryTypeOwned(): Promise<void> {
    return assertEveryTypeOwned(this.mill)
  }

  /**
   * Waits until the job has completed.
   *
   * @param ms how long, by a real clock
   * @returns the job as `get` reads it
   * @throws AssertionError if it ends otherwise, with the job's error as its cause, or is not over in time, saying why
   */
  async waitForJobCompletion<Reference extends JobReference>(
    job: Reference,
    ms: number,
  ): Promise<Job<DefinitionIn<Reference>>> {
    return waitForCompletion(this.mill, job, ms)
  }

  /**
   * Runs a function, and proves that whatever was processed meanwhile was processed by workers of that service: every attempt that began,
   * by whom the store says it was claimed.
   *
   * @throws AssertionError if another service processed anything, or nobody did; what the function throws
   */
  async monitorJobProcessing<Result>(service: string, run: () => Result | Promise<Result>): Promise<Monitored<Result>> {
    return monitorProcessing(this.mill, service, run)
  }
}

/** The assertions for a Millrace that is open already, on a real clock. */
export function assertionsOn(mill: Millrace): MillAssertions {
  return new MillAssertions(mill)
}
