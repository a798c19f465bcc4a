import type { EnqueueOptions } from '../client/new-job.ts'
import type { InputAndOptions } from '../client/job-values.ts'
import type { Job } from '../client/job.ts'
import type { JobEvent } from '../client/read-events.ts'
import type { JobDefinition } from '../core/definition.ts'
import { LIMITS } from '../core/limits.ts'
import { FINAL_STATES, isFinal } from '../core/states.ts'
import type { Millrace } from '../open-millrace.ts'
import type { Handler } from '../worker/handler.ts'
import { Crew } from './crew.ts'
import { failure, whyOf } from './failure.ts'
import { lineOf } from './recorded.ts'
import type { RecordedArtifact, RecordedLine } from './recorded.ts'
import type { TestClock } from './test-clock.ts'
import type { Surroundings } from './test-process.ts'

export interface JobRun<Definition extends JobDefinition = JobDefinition> {
  /** As `get` reads it at its end: state, output, phases, attempts, error. */
  readonly job: Job<Definition>
  /** Everything that happened to it. */
  readonly events: readonly JobEvent[]
  /** What its handler logged, over all attempts. */
  readonly logs: readonly RecordedLine[]
  readonly artifacts: readonly RecordedArtifact[]
}

export interface RunJobParts {
  readonly surroundings: Surroundings
  readonly mill: Millrace
  readonly clock: TestClock
}

export async function runJob<Definition extends JobDefinition, Results extends object>(
  { surroundings, mill, clock }: RunJobParts,
  handler: Handler<Definition, Results>,
  args: InputAndOptions<Definition, EnqueueOptions>,
): Promise<JobRun<Definition>> {
  const { definition } = handler
  const { job } = await mill.enqueue<Definition>(definition, ...args)
  const crew = await Crew.open(surroundings, [handler], 1)
  try {
    while (!isFinal((await mill.get(job.id)).state)) {
      const { claimed } = await crew.runOnce()
      if (claimed > 0) continue
      if (crew.nextDueInMs === null) throw await stuck(mill, job.id)
      await clock.advance(crew.nextDueInMs)
    }
  } finally {
    await crew.close()
  }
  const events = await eventsOf(mill, job.id)
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it was read with this definition
    job: (await mill.get({ id: job.id, definition })) as unknown as Job<Definition>,
    events,
    logs: events.filter(({ name }) => name === 'job:log').map(({ detail }) => lineOf(detail)),
    artifacts: await artifactsOf(mill, job.id),
  }
}

async function stuck(mill: Millrace, id: string): Promise<Error> {
  const explanation = await mill.explain(id)
  const { state: actual } = explanation
  const lines = [`runJob: job ${id} does not come to its end; it is ${actual}.`, ...whyOf(explanation)]
  return failure(lines, { operator: 'runJob', actual, expected: FINAL_STATES })
}

async function eventsOf(mill: Millrace, job: string): Promise<readonly JobEvent[]> {
  const events: JobEvent[] = []
  for (;;) {
    const page = await mill.events({ job, after: events.at(-1)?.position ?? 0, limit: LIMITS.listPage })
    if (page.length === 0) return events
    events.push(...page)
  }
}

async function artifactsOf(mill: Millrace, job: string): Promise<readonly RecordedArtifact[]> {
  const artifacts: RecordedArtifact[] = []
  for (const { id, name, contentType } of await mill.artifacts(job)) {
    const opened = await mill.openArtifact(id)
    artifacts.push({ name, contentType, bytes: await opened.bytes() })
  }
  return artifacts
}
