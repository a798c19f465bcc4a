/** Plans with one thing wrong. The checker has to find each of them out: else a property is missing, or what was taken away is of no use. */
import { interpretPlan } from '../../../src/core/interpret.ts'
import type { PlanContext } from '../../../src/core/interpret.ts'
import type { JobRow } from '../../../src/core/job-row.ts'
import { isRefusal } from '../../../src/core/plan.ts'
import type { Apply, Case, Changes, Plan } from '../../../src/core/plan.ts'
import { PLANS } from '../../../src/core/plans.ts'
import { OPERATOR } from '../../../src/core/scope.ts'
import type { Exploring } from './checker.ts'
import type { Bounds } from './world.ts'

export interface Mutant {
  /** What is wrong. */
  readonly name: string
  readonly exploring: Exploring
}

const BOUNDS: Bounds = { phaseCount: 2, maxAttempts: 2, maxStrikes: 2, generations: 1, timeoutMs: 1_000 }
const ONE_PHASE: Bounds = { ...BOUNDS, phaseCount: 1 }
/** Poison comes sooner. */
const ONE_STRIKE: Bounds = { ...BOUNDS, maxStrikes: 1 }
const TWO_LIVES: Bounds = { ...BOUNDS, generations: 2 }

const BOUNDS_OF: Readonly<Record<string, Bounds>> = {
  'complete-only-phase': ONE_PHASE,
  'reap-poison': ONE_STRIKE,
  retry: TWO_LIVES,
  'force-reset': TWO_LIVES,
}

/** Every plan without each of its cases, without each condition, and without each change, event and outcome of a case. */
export function everyMutant(): readonly Mutant[] {
  return PLANS.flatMap((plan) => plan.cases.flatMap((entry) => mutantsOf(plan, entry)))
}

function mutantsOf(plan: Plan, entry: Case): readonly Mutant[] {
  const instead = (what: string, cases: readonly Case[]): Mutant => ({
    name: `${plan.name}, where ${entry.when.join(' and ') || 'nothing else holds'}: without ${what}`,
    exploring: { bounds: BOUNDS_OF[plan.name] ?? BOUNDS, mutants: [{ ...plan, cases }] },
  })
  const others = (mutant: Case): readonly Case[] => plan.cases.map((each) => (each === entry ? mutant : each))
  const loose = entry.when.map((condition) =>
    instead(`the condition ${condition}`, others({ ...entry, when: entry.when.filter((each) => each !== condition) })),
  )
  const removed = instead(
    'the case',
    plan.cases.filter((each) => each !== entry),
  )
  if (isRefusal(entry)) return [removed, ...loose]
  return [removed, ...loose, ...poorer(entry).map(([what, mutant]) => instead(what, others(mutant)))]
}

function poorer(entry: Apply): readonly (readonly [string, Apply])[] {
  const { event, ends, ...bare } = entry
  const changes = Object.keys(entry.set) as (keyof Changes)[]
  const mutants = changes.map(
    (change) => [`the change of ${change}`, { ...entry, set: without(entry.set, change) }] as const,
  )
  return [
    ...mutants,
    ...(event === undefined ? [] : [['the event', { ...bare, ...(ends === undefined ? {} : { ends }) }] as const]),
    ...(ends === undefined ? [] : [['the outcome', { ...bare, ...(event === undefined ? {} : { event }) }] as const]),
  ]
}

function without(set: Changes, change: keyof Changes): Changes {
  return Object.fromEntries(Object.entries(set).filter(([name]) => name !== change))
}

const FENCE_RULES = [
  'whoever takes the job, or ends its attempt from outside, raises the fence',
  'every invariant of a job holds',
]

/** The fence stays where it is, and the checker sees only what comes of that. */
function unfenced(names: readonly string[]): Exploring {
  const mutants = PLANS.filter(({ name }) => names.includes(name)).map((plan) => ({
    ...plan,
    cases: plan.cases.map((entry) => (isRefusal(entry) ? entry : { ...entry, set: without(entry.set, 'fence') })),
  }))
  return { bounds: TWO_LIVES, mutants, blindTo: FENCE_RULES }
}

type Sight = (context: PlanContext, row: JobRow) => Partial<PlanContext>

/** An interpreter that is deceived about what lies outside the row. */
function deceived(sight: Sight, bounds: Bounds = BOUNDS): Exploring {
  return { bounds, interpret: (plan, row, context) => interpretPlan(plan, row, { ...context, ...sight(context, row) }) }
}

/** An interpreter that writes something else. */
function miswriting(write: (after: JobRow, before: JobRow) => JobRow, bounds: Bounds = BOUNDS): Exploring {
  return {
    bounds,
    interpret: (plan, row, context) => {
      const outcome = interpretPlan(plan, row, context)
      return 'refused' in outcome ? outcome : { ...outcome, row: write(outcome.row, row) }
    },
  }
}

const REAPING = ['reap', 'reap-suspect', 'reap-strike', 'reap-poison']

/** What no single missing piece of a plan amounts to. */
export const WRITTEN_MUTANTS: readonly Mutant[] = [
  { name: 'the fence is not raised by a claim', exploring: unfenced(['claim']) },
  { name: 'the fence is not raised by a claim or by reaping', exploring: unfenced(['claim', ...REAPING]) },
  { name: 'the fence is not raised by a reset', exploring: unfenced(['force-reset']) },
  {
    name: 'a claim is known by its fence alone, whether anybody holds the job or not',
    exploring: deceived(({ claim }, { holder }) => ({ claim: claim && { ...claim, holder: holder as number } })),
  },
  {
    name: 'a claim is known by its holder alone',
    exploring: deceived(({ claim }, { fence }) => ({ claim: claim && { ...claim, fence } })),
  },
  { name: 'every session looks dead', exploring: deceived(() => ({ sessionAlive: () => false })) },
  { name: 'every session looks alive', exploring: deceived(() => ({ sessionAlive: () => true })) },
  { name: 'no unique key looks held', exploring: deceived(() => ({ uniqueHeld: () => false }), TWO_LIVES) },
  { name: 'everybody looks like the operator', exploring: deceived(() => ({ scope: OPERATOR })) },
  {
    name: 'a person is taken to have seen the present fence',
    exploring: deceived(({ values }, { fence }) => ({ values: { ...values, seenFence: fence } }), TWO_LIVES),
  },
  {
    name: 'a delay counts for nothing',
    exploring: deceived(({ values }) => ({ values: { ...values, delayMs: 0 } })),
  },
  { name: 'events are not counted', exploring: miswriting((after, { eventSeq }) => ({ ...after, eventSeq })) },
  {
    name: 'progress is taken back',
    exploring: miswriting((after) => ({ ...after, progress: Math.min(after.progress, 25) })),
  },
  {
    name: 'a checkpoint passes two phases over',
    exploring: miswriting((after, { phase }) => ({
      ...after,
      phase: after.phase > phase ? after.phaseCount : after.phase,
    })),
  },
  {
    name: 'whoever wrote last has cancelled',
    exploring: miswriting((after) => ({
      ...after,
      cancelledBy: after.cancelledBy === null ? null : `at ${after.eventSeq}`,
    })),
  },
]

const IN_NO_ROW = 'the output is no column that the interpreter knows: the contract suite of the stores looks at it'
const NONE_PENDING = 'only a running job has a cancel pending'

/** Mutants that no property can tell from the plans, each with the reason. */
export const EQUIVALENT: Readonly<Record<string, string>> = {
  'adopt-phases, where nothing else holds: without the change of phase':
    'a handler adopts phases from where the job stands',
  'complete-only-phase, where nothing else holds: without the change of output': IN_NO_ROW,
  'retry, where final: without the change of output': IN_NO_ROW,
  'force-reset, where final: without the change of output': IN_NO_ROW,
  'force-reset, where running: without the change of output': IN_NO_ROW,
  'force-reset, where nothing else holds: without the change of output': IN_NO_ROW,
  'end-of-grace, where cancel-pending: without the condition cancel-pending':
    'the case before refuses where none is pending',
  'cancel, where running and cancel-pending: without the condition running': NONE_PENDING,
  'force-fail, where nothing else holds: without the change of cancel': NONE_PENDING,
  'force-reset, where nothing else holds: without the change of cancel': NONE_PENDING,
  'reap-strike, where nothing else holds: without the change of suspect': 'only a suspect gets a strike',
  'reap-poison, where nothing else holds: without the change of suspect': 'only a suspect gets a strike',
  'retry, where final and unique-held: without the condition final': 'an unfinished job holds its unique key itself',
  'force-reset, where final and unique-held: without the condition final':
    'an unfinished job holds its unique key itself',
}
