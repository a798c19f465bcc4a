/** Random commands: small numbers that mean something only once there are jobs, sessions and claims to choose from. */
import * as fc from 'fast-check'

/** Acts of whoever holds a claim, or once held it. `finish`: every checkpoint that is left, and the completion. */
const HELD_ACTS = [
  'finish',
  'checkpoint',
  'checkpoint',
  'complete',
  'fail-retry',
  'fail-final',
  'release',
  'progress',
  'progress-told',
  'log',
  'artifact',
  'extend',
  'adopt-phases',
  'end-of-grace',
  'time-out-retry',
  'time-out-final',
] as const

/** Only a sweep does these, and finds the claim current. */
const REAPS = ['reap', 'reap-suspect', 'reap-strike', 'reap-poison'] as const

/** Acts of people on a job. */
const OUTSIDE_ACTS = ['cancel', 'cancel-waiting', 'retry', 'run-now', 'force-fail', 'force-reset'] as const

export interface HeldAct {
  readonly do: 'held-act'
  readonly act: (typeof HELD_ACTS)[number] | (typeof REAPS)[number]
  /** Counted back from the latest claim. */
  readonly claim: number
  /** What is wrong with the claim besides its age. */
  readonly spoil: 'nothing' | 'fence' | 'holder' | 'job'
  readonly amount: number
}

export interface OutsideAct {
  readonly do: 'outside-act'
  readonly act: (typeof OUTSIDE_ACTS)[number]
  /** Counted back from the latest claim, or among all jobs. */
  readonly among: 'claims' | 'jobs'
  readonly job: number
  readonly scope: number
  readonly amount: number
  readonly outdated: boolean
}

export interface NewJobChoice {
  readonly type: number
  readonly tenant: number
  readonly owner: number
  readonly queue: number
  readonly key: number
  readonly uniqueKey: number
  readonly input: number
  readonly priority: number
  readonly delay: number
}

export type Command =
  | { readonly do: 'enqueue'; readonly jobs: readonly NewJobChoice[] }
  /** Several enqueues of the same moment. */
  | { readonly do: 'enqueue-together'; readonly calls: readonly (readonly NewJobChoice[])[] }
  | { readonly do: 'claim'; readonly session: number; readonly types: number; readonly limit: number }
  /** By hand: a job as of outside acts. */
  | { readonly do: 'take'; readonly job: number; readonly scope: number; readonly service: number }
  | HeldAct
  | OutsideAct
  /** Several acts of the same moment. */
  | { readonly do: 'together'; readonly acts: readonly (HeldAct | OutsideAct)[] }
  | { readonly do: 'advance'; readonly step: number }
  /** Deletes those of the latest jobs that are over. */
  | { readonly do: 'purge'; readonly job: number; readonly amount: number }
  | { readonly do: 'sweep'; readonly graceMs: number; readonly random: number }
  /** `die`: ended, swept up after and followed by a new one. */
  | { readonly do: 'session'; readonly act: 'end' | 'abandon' | 'open' | 'die'; readonly session: number }
  | { readonly do: 'queue'; readonly act: 'pause' | 'resume'; readonly queue: number }
  | { readonly do: 'register'; readonly type: number; readonly service: number; readonly policy: number }
  | {
      readonly do: 'ask'
      readonly what: Question
      readonly scope: number
      readonly job: number
      readonly amount: number
    }

const QUESTIONS = ['list', 'counts', 'events', 'get', 'holders', 'interruptions', 'states'] as const

type Question = (typeof QUESTIONS)[number]

const choice: fc.Arbitrary<number> = fc.nat({ max: 99 })

const newJob: fc.Arbitrary<NewJobChoice> = fc.record({
  type: choice,
  tenant: choice,
  owner: choice,
  queue: choice,
  key: choice,
  uniqueKey: choice,
  input: choice,
  priority: choice,
  delay: choice,
})

const newJobs = fc.array(newJob, { minLength: 1, maxLength: 4 })

/** So many that a store may keep together what they have in common: without keys, and without labels. */
const alikeJobs: fc.Arbitrary<readonly NewJobChoice[]> = fc
  .tuple(newJob, fc.integer({ min: 16, max: 24 }))
  .map(([one, count]) => Array.from({ length: count }, () => ({ ...one, key: 1, uniqueKey: 1, owner: 1 })))

const heldAct: fc.Arbitrary<HeldAct> = fc.record({
  do: fc.constant('held-act' as const),
  act: fc.oneof(
    { weight: 15, arbitrary: fc.constantFrom(...HELD_ACTS) },
    { weight: 1, arbitrary: fc.constantFrom(...REAPS) },
  ),
  claim: fc.oneof({ weight: 3, arbitrary: fc.nat({ max: 3 }) }, { weight: 1, arbitrary: choice }),
  spoil: fc.oneof(
    { weight: 12, arbitrary: fc.constant('nothing' as const) },
    { weight: 1, arbitrary: fc.constantFrom('fence' as const, 'holder' as const, 'job' as const) },
  ),
  amount: choice,
})

const outsideAct: fc.Arbitrary<OutsideAct> = fc.record({
  do: fc.constant('outside-act' as const),
  act: fc.oneof(fc.constant('cancel' as const), fc.constantFrom(...OUTSIDE_ACTS)),
  among: fc.constantFrom('claims' as const, 'jobs' as const),
  job: fc.oneof(fc.nat({ max: 3 }), choice),
  scope: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: choice }),
  amount: choice,
  outdated: fc.oneof({ weight: 7, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
})

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('enqueue' as const), jobs: newJobs }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('enqueue' as const), jobs: alikeJobs }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('enqueue-together' as const),
      calls: fc.array(newJobs, { minLength: 2, maxLength: 4 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('claim' as const),
      session: choice,
      types: choice,
      limit: fc.nat({ max: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('take' as const),
      job: fc.oneof(fc.nat({ max: 3 }), choice),
      scope: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: choice }),
      service: choice,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('purge' as const), job: choice, amount: fc.nat({ max: 5 }) }),
  },
  { weight: 12, arbitrary: heldAct },
  { weight: 5, arbitrary: outsideAct },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('together' as const),
      acts: fc.array(fc.oneof(heldAct, outsideAct), { minLength: 2, maxLength: 5 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('advance' as const), step: choice }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('sweep' as const),
      graceMs: fc.constantFrom(0, 500),
      random: fc.constantFrom(0, 0.5, 0.999),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('session' as const),
      act: fc.constantFrom('end' as const, 'abandon' as const, 'open' as const, 'die' as const, 'die' as const),
      session: choice,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('queue' as const),
      act: fc.constantFrom('pause' as const, 'resume' as const),
      queue: choice,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('register' as const), type: choice, service: choice, policy: choice }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      what: fc.constantFrom(...QUESTIONS),
      scope: choice,
      job: choice,
      amount: choice,
    }),
  },
)

/** About sixty of them. */
export const commands: fc.Arbitrary<readonly Command[]> = fc.array(command, {
  minLength: 1,
  maxLength: 120,
  size: 'max',
})

/** One of the items, whatever the number. */
export function pick<Item>(items: readonly Item[], index: number): Item {
  const item = items[index % items.length]
  if (item === undefined) throw new RangeError('there is nothing to choose from')
  return item
}
