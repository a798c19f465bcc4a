/** Everything that anybody may try to do to the job: each act is a plan, carried out with what its actor believes. */
import type { Backoff } from '../../../src/core/retry.ts'
import type { Claim } from '../../../src/core/job-row.ts'
import type { Plan, PlanValues } from '../../../src/core/plan.ts'
import * as plans from '../../../src/core/plans.ts'
import { OPERATOR } from '../../../src/core/scope.ts'
import type { Scope } from '../../../src/core/scope.ts'
import { planReap, settleFailure, settleTimeOut } from '../../../src/core/settle.ts'
import { DELAY_MS } from './world.ts'
import type { Bounds, Handler, Sighting, World } from './world.ts'

export interface Act {
  readonly label: string
  readonly plan: Plan
  readonly claim: Claim | null
  readonly values: PlanValues
  readonly scope: Scope
  /** `stranger`: somebody who may not. */
  readonly by: 'store' | 'worker' | 'sweeper' | 'person' | 'stranger'
  /** The handler that acts. */
  readonly handler?: Handler
}

const OWNER: Scope = { role: 'member', tenant: 'acme', user: 'ann' }
const ADMIN: Scope = { role: 'admin', tenant: 'acme' }
const STRANGERS: readonly (readonly [string, Scope])[] = [
  ['a member who does not own it', { role: 'member', tenant: 'acme', user: 'bob' }],
  ['a namesake in another tenant', { role: 'member', tenant: 'other', user: 'ann' }],
  ["another tenant's admin", { role: 'admin', tenant: 'other' }],
]

const BACKOFF: Backoff = { kind: 'fixed', baseMs: DELAY_MS, maxMs: DELAY_MS, factor: 1, jitter: 0 }
const UNKNOWN = { fatal: false, rule: 'unknown' }
const FATAL = { fatal: true, rule: 'unrecoverable' }

export function actsIn(world: World, bounds: Bounds): readonly Act[] {
  const { handler, leftover } = world
  return [
    { label: 'the store promotes', plan: plans.PROMOTE, claim: null, values: {}, scope: OPERATOR, by: 'store' },
    ...claims(world, bounds),
    ...(handler === null ? [] : handlerActs(handler, nameOf(world, handler.claim.holder), bounds)),
    ...(leftover === null
      ? []
      : handlerActs(leftover, `${nameOf(world, leftover.claim.holder)}'s leftover handler`, bounds)),
    ...sweeperActs(world, bounds),
    ...personActs(world),
    ...strangerActs(world),
  ]
}

const NAMES = ['A', 'B']

function nameOf({ workers }: World, holder: number): string {
  return NAMES[workers.findIndex((worker) => worker.holder === holder)] ?? '?'
}

function claims(world: World, { timeoutMs }: Bounds): readonly Act[] {
  return world.workers
    .filter(({ health }) => health === 'alive')
    .map(({ holder }) => ({
      label: `${nameOf(world, holder)} claims`,
      plan: plans.CLAIM,
      claim: null,
      values: { holder, timeoutMs },
      scope: OPERATOR,
      by: 'worker',
    }))
}

/** A handler tries every write there is. It does not know whether its claim still holds. */
function handlerActs(handler: Handler, name: string, bounds: Bounds): readonly Act[] {
  const { phaseCount, maxAttempts, timeoutMs } = bounds
  const act = (does: string, plan: Plan, values: PlanValues = {}): Act => ({
    label: `${name} ${does}`,
    plan,
    claim: handler.claim,
    values,
    scope: OPERATOR,
    by: 'worker',
    handler,
  })
  const failure = { failures: handler.failures, maxAttempts, backoff: BACKOFF, random: 0 }
  const failing = settleFailure({ ...failure, verdict: UNKNOWN })
  const fatal = settleFailure({ ...failure, verdict: FATAL })
  const timedOut = settleTimeOut({ ...failure, verdict: UNKNOWN })
  const share = (phases: number): number => (100 * phases) / phaseCount
  const acts = [
    act('fails', failing.plan, failing.values),
    act('fails fatally', fatal.plan, fatal.values),
    act('releases', plans.RELEASE),
    act('ends its grace', plans.END_OF_GRACE),
    act('times its attempt out', timedOut.plan, timedOut.values),
    act('tells progress', plans.PROGRESS_TOLD, { progress: share(0.5) }),
    act('notes progress', plans.PROGRESS, { progress: share(0.5) }),
    act('tells less progress', plans.PROGRESS_TOLD, { progress: 0 }),
    act('logs', plans.LOG),
    act('writes an artifact', plans.ARTIFACT),
    act('extends its time', plans.EXTEND, { timeoutMs }),
    act('adopts phases', plans.ADOPT_PHASES, { phase: handler.phase }),
  ]
  if (phaseCount === 1) return [...acts, act('completes', plans.COMPLETE_ONLY_PHASE, { output: '1' })]
  acts.push(
    act('completes', plans.COMPLETE),
    act('completes as the only phase', plans.COMPLETE_ONLY_PHASE, { output: '1' }),
  )
  if (handler.phase > 0) acts.push(act('checkpoints again', plans.CHECKPOINT, repeated(handler.phase, share)))
  if (handler.phase === phaseCount) return acts
  const lastPhase = handler.phase === phaseCount - 1
  const progress = share(lastPhase ? handler.phase : handler.phase + 1)
  return [...acts, act('checkpoints', plans.CHECKPOINT, { progress, seenPhase: handler.phase })]
}

/** The answer to the last checkpoint was lost, so it is sent once more. */
function repeated(phase: number, share: (phases: number) => number): PlanValues {
  return { progress: share(phase), seenPhase: phase - 1 }
}

/**
 * The sweeper names the claim that it found fault with, however long ago. What it needs to know of suspects and failures it reads in the
 * transaction in which it acts, as a store's sweep does.
 */
function sweeperActs({ row, sweeper }: World, bounds: Bounds): readonly Act[] {
  if (sweeper === null) return []
  const act = (does: string, plan: Plan | undefined, values: PlanValues = {}): readonly Act[] =>
    plan === undefined
      ? []
      : [{ label: `the sweeper ${does}`, plan, claim: sweeper, values, scope: OPERATOR, by: 'sweeper' }]
  const orphan = { suspect: row.suspect, strikes: row.strikes }
  const [alone] = planReap([orphan], bounds.maxStrikes)
  const [beside] = planReap([orphan, { suspect: true, strikes: 0 }], bounds.maxStrikes)
  const { failures } = row
  const timedOut = settleTimeOut({
    failures,
    maxAttempts: bounds.maxAttempts,
    backoff: BACKOFF,
    verdict: UNKNOWN,
    random: 0,
  })
  return [
    ...act('reaps it', alone),
    ...act('reaps it beside a suspect', beside === alone ? undefined : beside),
    ...act('gives up on it', plans.REAP_STUCK),
    ...act('times it out', timedOut.plan, timedOut.values),
    ...act('ends its grace', plans.END_OF_GRACE),
  ]
}

function personActs({ row, person }: World): readonly Act[] {
  const act = (label: string, plan: Plan, scope: Scope, values: PlanValues = {}): Act => ({
    label,
    plan,
    claim: null,
    values,
    scope,
    by: 'person',
  })
  const afresh = (seen: Sighting, from: string): readonly Act[] => {
    const values = { seenGeneration: seen.generation, seenFence: seen.fence, phase: seen.phase }
    return [
      act(`the owner retries it from ${from}`, plans.RETRY, OWNER, values),
      act(`the admin force-resets it to ${from}`, plans.FORCE_RESET, ADMIN, values),
    ]
  }
  return [
    act('the owner cancels', plans.CANCEL, OWNER, { actor: 'ann' }),
    act('the admin cancels', plans.CANCEL, ADMIN, { actor: 'root' }),
    act('the owner cancels it if it waits', plans.CANCEL_WAITING, OWNER, { actor: 'ann' }),
    act('the owner runs it now', plans.RUN_NOW, OWNER),
    act('the admin force-fails it', plans.FORCE_FAIL, ADMIN),
    ...afresh({ ...row, phase: 0 }, 'the start'),
    ...(person === null ? [] : afresh(person, `phase ${person.phase}, where it was when they looked`)),
  ]
}

/** Strangers guess every value right: only their scope stands in their way. */
function strangerActs({ row }: World): readonly Act[] {
  const seen = { seenGeneration: row.generation, seenFence: row.fence, phase: 0 }
  const act = (label: string, plan: Plan, scope: Scope): Act => ({
    label,
    plan,
    claim: null,
    values: { ...seen, actor: 'stranger' },
    scope,
    by: 'stranger',
  })
  const byStrangers = STRANGERS.flatMap(([name, scope]) => [
    act(`${name} cancels`, plans.CANCEL, scope),
    act(`${name} cancels it if it waits`, plans.CANCEL_WAITING, scope),
    act(`${name} retries it`, plans.RETRY, scope),
    act(`${name} runs it now`, plans.RUN_NOW, scope),
    act(`${name} force-fails it`, plans.FORCE_FAIL, scope),
    act(`${name} force-resets it`, plans.FORCE_RESET, scope),
  ])
  return [
    ...byStrangers,
    act('the owner force-fails it', plans.FORCE_FAIL, OWNER),
    act('the owner force-resets it', plans.FORCE_RESET, OWNER),
  ]
}
