/** What an admin does to a job whatever it is doing. Each act is written down in the audit, in the transaction that carries it out. */
import type { ErrorCode } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { FORCE_FAIL, FORCE_RESET } from '../core/plans.ts'
import type { JobState } from '../core/states.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { LOOKS, refused } from './act-on-job.ts'
import { actorOf } from './asker.ts'
import type { Asker } from './asker.ts'
import { checkText } from './names.ts'
import { checkBoolean, checkOptions } from './option-values.ts'
import { readDetails } from './read-jobs.ts'

export interface ForceOptions {
  /** Why, 1 to 1,000 characters. It stands in the audit, in the event and with the attempt that was cut off. */
  readonly reason: string
  /** Who does it, 1 to 200 characters. Default: the user of the client, else `system`. A user can't name another one. */
  readonly actor?: string
}

export interface ForceResetOptions extends ForceOptions {
  /** Keep the results of the phases that are done, and go on at the first that is not. Default false: afresh. */
  readonly keepPhases?: boolean
}

export interface ForceFailed {
  readonly jobId: string
  readonly state: JobState
}

export interface ForceReset {
  readonly jobId: string
  readonly state: JobState
  /** Raised where the job was in a final state. */
  readonly generation: number
  /** Where it starts. */
  readonly phase: string
}

interface Forcing<Options> {
  readonly options: Options
  /** Where the ids of audit rows come from. */
  readonly runtime: Pick<Runtime, 'uuid'>
}

export async function forceFailJob(
  asker: Asker,
  jobId: string,
  { options, runtime }: Forcing<ForceOptions>,
): Promise<ForceFailed> {
  const why = checkForce(asker, options, { reason: true, actor: true })
  const error = forcedError(why, 'failed the job')
  const result = await asker.store.claims.apply({
    jobId,
    plan: FORCE_FAIL,
    scope: asker.scope,
    claim: null,
    detail: JSON.stringify({ error, verdict: VERDICT, ...why }),
    error: JSON.stringify({ ...error, verdict: VERDICT }),
    values: {},
    audit: { id: runtime.uuid(), ...why, detail: null },
  })
  if (!result.applied) throw refused(result, jobId, 'failed by force')
  return { jobId, state: result.row.state }
}

export async function forceResetJob(
  asker: Asker,
  jobId: string,
  { options, runtime }: Forcing<ForceResetOptions>,
): Promise<ForceReset> {
  const why = checkForce(asker, options, { reason: true, actor: true, keepPhases: true })
  const { keepPhases = false } = options
  checkBoolean(keepPhases, 'keepPhases')
  for (let look = 1; ; look += 1) {
    const details = await readDetails(asker.store, asker.scope, jobId)
    const phase = keepPhases ? details.phase : 0
    const result = await asker.store.claims.apply({
      jobId,
      plan: FORCE_RESET,
      scope: asker.scope,
      claim: null,
      detail: JSON.stringify(why),
      error: JSON.stringify({ ...forcedError(why, 'put the job back'), verdict: VERDICT }),
      values: { phase, seenGeneration: details.generation, seenFence: details.fence },
      audit: { id: runtime.uuid(), ...why, detail: JSON.stringify({ was: details.state, keepPhases }) },
    })
    if (result.applied) {
      // Had the job moved on since the look, the plan would have been refused.
      const generation = details.generation + (details.finishedAt === null ? 0 : 1)
      return { jobId, state: result.row.state, generation, phase: details.phaseNames[phase] ?? '' }
    }
    if (result.refusal !== 'moved-on' || look === LOOKS) throw refused(result, jobId, 'reset by force')
  }
}

interface Why {
  readonly actor: string
  readonly reason: string
}

function checkForce<Options extends ForceOptions>(
  asker: Asker,
  options: Options,
  known: Readonly<Record<keyof Options, true>>,
): Why {
  const { actor, reason } = checkOptions(options, known, 'options')
  return {
    reason: checkText(reason, { path: 'reason', maxCharacters: LIMITS.reasonCharacters }),
    actor: actorOf(asker, actor),
  }
}

const VERDICT = { fatal: true, rule: 'forced' } as const

/** What is told of the act with the event, and kept with the attempt that it cuts off, if there is one. */
function forcedError({ actor, reason }: Why, act: string): Readonly<Record<'name' | 'message' | 'code', string>> {
  return { name: 'MillraceError', message: `${actor} ${act} by force: ${reason}`, code: 'forced' satisfies ErrorCode }
}
