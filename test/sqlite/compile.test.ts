/**
 * A plan is compiled to SQL, and interpreted where a refusal has to be explained: the two must agree on every job, every caller and every
 * moment that the plan's conditions can tell apart.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { interpretPlan } from '../../src/core/interpret.ts'
import type { Claim, JobRow } from '../../src/core/job-row.ts'
import { isRefusal } from '../../src/core/plan.ts'
import type { Apply, Condition, Plan, PlanValues } from '../../src/core/plan.ts'
import { CHECKPOINT, COMPLETE_ONLY_PHASE, PLANS } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import type { Scope } from '../../src/core/scope.ts'
import { JOB_STATES, isFinal } from '../../src/core/states.ts'
import type { JobState } from '../../src/core/states.ts'
import { updateByPlan } from '../../src/sqlite/apply.ts'
import { STATE_CODES } from '../../src/store/codes.ts'
import { compileMany, compilePlain } from '../../src/sqlite/compile.ts'
import type { ManyJobs, PlainCase, PlanInputs } from '../../src/sqlite/compile.ts'
import { Database } from '../../src/sqlite/database.ts'
import { openConnection } from '../../src/sqlite/driver.ts'
import type { SqlValue } from '../../src/sqlite/driver.ts'
import { idToBytes } from '../../src/sqlite/ids.ts'
import { migrate } from '../../src/sqlite/migrate.ts'
import { JOB_COLUMNS, jobRow } from '../../src/sqlite/rows.ts'

const NOW = 10_000
const ID = '019b7613-6800-7000-8000-000000000001'
const OTHER_ID = '019b7613-6800-7000-8000-000000000002'
const HOLDER = 5_001
const FENCE = 4
const TENANT = 'acme'

const SCOPES: readonly Scope[] = [
  OPERATOR,
  { role: 'admin', tenant: TENANT },
  { role: 'admin', tenant: 'other' },
  { role: 'member', tenant: TENANT, user: 'ann' },
  { role: 'member', tenant: TENANT, user: 'bob' },
  { role: 'member', tenant: 'other', user: 'ann' },
]

/** What a job and its caller can look like. Each field is varied only for plans that look at it. */
interface Facts {
  readonly state: JobState
  readonly pending: boolean
  readonly owner: string | null
  readonly scope: Scope
  readonly claim: Claim | null
  readonly session: 'alive' | 'expiring' | 'ended' | 'none'
  readonly deadlineIn: number | null
  readonly dueIn: number
  readonly seenGeneration: number
  readonly seenFence: number
  readonly uniqueKey: string | null
  readonly keyHeld: 'by nobody' | 'by a finished job' | 'by another type' | 'by another job'
  readonly phaseCount: number
  readonly phase: number
  readonly seenPhase: number | null
  readonly progress: number
}

function claims(): readonly (Claim | null)[] {
  const holders = [HOLDER, HOLDER + 1]
  const fences = [FENCE, FENCE - 1, FENCE + 1]
  return [null, ...holders.flatMap((holder) => fences.map((fence) => ({ jobId: ID, holder, fence })))]
}

type Varied = { readonly [Name in keyof Facts]: readonly Facts[Name][] }

function looksAt(plan: Plan, ...conditions: readonly Condition[]): boolean {
  return plan.cases.some(({ when }) => when.some((condition) => conditions.includes(condition)))
}

function variedFor(plan: Plan): Varied {
  const scoped = looksAt(plan, 'out-of-scope', 'not-owner', 'not-admin')
  const claimed = looksAt(plan, 'claim-lost')
  const moves = looksAt(plan, 'moved-on')
  return {
    state: JOB_STATES,
    pending: [false, true],
    owner: scoped ? ['ann', null] : ['ann'],
    scope: scoped ? SCOPES : [OPERATOR],
    claim: claimed ? claims() : [null],
    session: looksAt(plan, 'session-alive') ? ['alive', 'expiring', 'ended', 'none'] : ['alive'],
    deadlineIn: looksAt(plan, 'deadline-ahead') ? [null, -1, 0, 1] : [500],
    dueIn: looksAt(plan, 'not-due') ? [-1, 0, 1] : [0],
    seenGeneration: moves ? [1, 2] : [1],
    seenFence: moves ? [FENCE, FENCE - 1] : [FENCE],
    uniqueKey: looksAt(plan, 'unique-held') ? [null, 'k'] : [null],
    keyHeld: looksAt(plan, 'unique-held')
      ? ['by nobody', 'by a finished job', 'by another type', 'by another job']
      : ['by nobody'],
    phaseCount: looksAt(plan, 'several-phases') ? [1, 2] : [2],
    phase: [0, 1, 2],
    seenPhase: looksAt(plan, 'phase-moved') ? [null, 0, 1, 2] : [null],
    progress: [0, 60],
  }
}

function combine(varied: Varied): readonly Facts[] {
  return Object.entries(varied).reduce<readonly object[]>(
    (partial, [name, choices]) =>
      partial.flatMap((facts) => (choices as readonly unknown[]).map((choice) => ({ ...facts, [name]: choice }))),
    [{}],
  ) as readonly Facts[]
}

/** Whether there can be such a job, and whether the plan may be asked of it: a holder knows which phase it is in. */
function isPossible(plan: Plan, { state, pending, phaseCount, phase, keyHeld, uniqueKey }: Facts): boolean {
  if (phase > phaseCount) return false
  if (pending && !['running', 'completed', 'cancelled'].includes(state)) return false
  if (!pending && state === 'cancelled') return false
  if (state === 'completed' && phase !== phaseCount) return false
  if (keyHeld === 'by another job' && uniqueKey !== null && !isFinal(state)) return false
  const ends = plan === CHECKPOINT || (plan === COMPLETE_ONLY_PHASE && phaseCount === 1)
  return !ends || phase < phaseCount || state !== 'running'
}

function rowOf(facts: Facts): JobRow {
  const { state, pending, owner, deadlineIn, dueIn, uniqueKey, phaseCount, phase, progress } = facts
  const running = state === 'running'
  return {
    id: ID,
    tenant: TENANT,
    owner,
    state,
    runAt: NOW + dueIn,
    attempt: 3,
    failures: 1,
    strikes: 1,
    suspect: true,
    fence: FENCE,
    generation: 1,
    holder: running ? HOLDER : null,
    phase,
    phaseCount,
    phaseStartedAt: 7_000,
    progress,
    createdAt: 5_000,
    startedAt: 6_000,
    finishedAt: isFinal(state) ? 8_000 : null,
    deadlineAt: running && deadlineIn !== null ? NOW + deadlineIn : null,
    cancelRequestedAt: pending ? 7_500 : null,
    cancelledBy: pending ? 'zoe' : null,
    cancelReason: pending ? 'enough' : null,
    uniqueKey,
    eventSeq: 9,
  }
}

const INSERT =
  'INSERT INTO millrace_jobs (id, type, lane, phase_list, priority, updated_at, tenant, owner, state, run_at, attempt, failures, strikes, ' +
  'suspect, fence, generation, holder, phase, phase_count, phase_started_at, progress, created_at, started_at, finished_at, deadline_at, ' +
  'cancel_requested_at, cancelled_by, cancel_reason, unique_key, event_seq) ' +
  'VALUES (?, ?, 1, 1, 0, 5000, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'

function insert(db: Database, row: JobRow, type: number): number {
  const identity: readonly SqlValue[] = [idToBytes(row.id), type, row.tenant, row.owner]
  const counts = [row.attempt, row.failures, row.strikes, row.suspect ? 1 : 0, row.fence, row.generation]
  const phases = [row.phase, row.phaseCount, row.phaseStartedAt, row.progress]
  const instants = [row.createdAt, row.startedAt, row.finishedAt, row.deadlineAt]
  const cancel = [row.cancelRequestedAt, row.cancelledBy, row.cancelReason]
  const columns = [
    ...identity,
    STATE_CODES[row.state],
    row.runAt,
    ...counts,
    row.holder,
    ...phases,
    ...instants,
    ...cancel,
  ]
  return db.insert(INSERT, ...columns, row.uniqueKey, row.eventSeq)
}

const INSERT_SESSION =
  "INSERT INTO millrace_sessions (holder, service, host, pid, concurrency, lease_ms, started_at, beat_at, expires_at, ended_at) VALUES (?, 's', 'h', 1, 1, 1, 0, 0, ?, ?)"

/** The world around the job that the facts speak of. */
function insertOthers(db: Database, { session, keyHeld, uniqueKey }: Facts): void {
  if (session === 'alive') db.run(INSERT_SESSION, HOLDER, NOW + 1, null)
  if (session === 'expiring') db.run(INSERT_SESSION, HOLDER, NOW, null)
  if (session === 'ended') db.run(INSERT_SESSION, HOLDER, NOW + 1, NOW - 1)
  if (keyHeld === 'by nobody' || uniqueKey === null) return
  const finishedAt = keyHeld === 'by a finished job' ? 1 : null
  const state = finishedAt === null ? 'queued' : 'failed'
  const other = { ...rowOf({ ...usual, uniqueKey }), id: OTHER_ID, state, finishedAt } as const
  insert(db, other, keyHeld === 'by another type' ? 2 : 1)
}

const usual: Facts = {
  state: 'queued',
  pending: false,
  owner: null,
  scope: OPERATOR,
  claim: null,
  session: 'none',
  deadlineIn: null,
  dueIn: 0,
  seenGeneration: 1,
  seenFence: FENCE,
  uniqueKey: null,
  keyHeld: 'by nobody',
  phaseCount: 2,
  phase: 0,
  seenPhase: null,
  progress: 0,
}

function openDatabase(): Database {
  const file = ':memory:'
  const connection = openConnection({ file, readOnly: false, durability: 'full', maxBytes: null })
  migrate(connection, { file, clock: () => NOW })
  return new Database(connection, () => NOW)
}

const AFTER = `SELECT ${JOB_COLUMNS} FROM millrace_jobs AS j WHERE j.id = ?`

interface Comparison {
  readonly plan: Plan
  readonly facts: Facts
  readonly values: PlanValues
}

/** The ways in which a plan is compiled: for one job by its id, for many, and its plain case, for one and for many. */
interface Ways {
  readonly byId: Carried
  readonly plain: Carried
  readonly plainMany: readonly Carried[]
  /** Of a plan that applies in one way. */
  readonly many: readonly Carried[]
}

function carryOut(db: Database, plan: Plan, inputs: PlanInputs, n: number): Ways {
  const plain = compilePlain(plan)
  const ways = plan.cases.filter((entry) => !isRefusal(entry))
  const [only] = ways
  const mayBeMany = ways.length === 1 && only !== undefined && !isRefusal(only) && inputs.scope.role === 'operator'
  return {
    byId: tryOut(db, () => updateByPlan(db, plan, inputs)?.apply ?? null),
    plain: tryOut(db, () =>
      plain === null
        ? null
        : guarded(db, plain, inputs, () => db.run(plain.sql, ...plain.values({ ...inputs, key: n }))),
    ),
    plainMany: FORMS.map((form) =>
      tryOut(db, () => (plain === null ? null : guarded(db, plain, inputs, () => form(db, plain.many, inputs, n)))),
    ),
    many: mayBeMany
      ? FORMS.map((form) => tryOut(db, () => (form(db, compileMany(plan), inputs, n) === 1 ? only : null)))
      : [],
  }
}

type Form = (db: Database, many: ManyJobs, inputs: PlanInputs, n: number) => number

const FORMS: readonly Form[] = [
  (db, { listSql, values }, inputs, n) => db.run(listSql, ...values({ ...inputs, key: JSON.stringify([n]) })),
  (db, { rangeSql, values }, inputs, n) => db.run(rangeSql, ...values({ ...inputs, key: n }), n),
]

function guarded(db: Database, plain: PlainCase, inputs: PlanInputs, update: () => number): Apply | null {
  const found = db.get(
    `SELECT 1 FROM millrace_jobs WHERE id = ? AND ${plain.guard}`,
    idToBytes(ID),
    ...plain.guardValues(inputs),
  )
  const changed = update()
  assert.equal(changed, found === undefined ? 0 : 1, 'the guard alone says what the update does')
  return changed === 1 ? plain.apply : null
}

interface Carried {
  readonly apply: Apply | null
  readonly row: JobRow
}

function tryOut(db: Database, act: () => Apply | null): Carried {
  db.connection.exec('SAVEPOINT way')
  const apply = act()
  const after = db.get(AFTER, idToBytes(ID))
  db.connection.exec('ROLLBACK TO way; RELEASE way')
  assert.ok(after !== undefined)
  return { apply, row: jobRow(after) }
}

/** Runs all on one job and compares what becomes of it. */
function compare(db: Database, { plan, facts, values }: Comparison): boolean {
  const row = rowOf(facts)
  const { scope, claim } = facts
  const expected = interpretPlan(plan, row, {
    now: NOW,
    scope,
    claim,
    values,
    sessionAlive: (holder) => holder === HOLDER && facts.session === 'alive',
    uniqueHeld: () => facts.keyHeld === 'by another job',
  })
  db.connection.exec('SAVEPOINT one')
  insertOthers(db, facts)
  const n = insert(db, row, 1)
  const inputs = { key: ID, now: NOW, scope, claim, values, session: 1 }
  const { byId, plain, plainMany, many } = carryOut(db, plan, inputs, n)
  db.connection.exec('ROLLBACK TO one; RELEASE one')
  const refused = 'refused' in expected
  for (const way of [byId, ...many]) {
    assert.deepEqual(way.row, refused ? row : expected.row)
    assert.equal(way.apply === null, refused, 'rules and database differ in whether it applies')
    if (refused) continue
    assert.equal(way.apply?.event ?? null, expected.event)
    assert.equal(way.apply?.ends ?? null, expected.ends)
  }
  for (const way of plainMany) assert.deepEqual(way, plain)
  const isPlain = plain.apply !== null
  assert.deepEqual(plain.row, refused || !isPlain ? row : expected.row)
  if (scope.role === 'operator' && compilePlain(plan) !== null) {
    assert.equal(
      isPlain,
      !refused && row.cancelRequestedAt === null,
      'the plain case is for those nobody has disturbed',
    )
  }
  return !refused
}

const ALL_VALUES: readonly PlanValues[] = [
  { holder: 77, delayMs: 1_500, timeoutMs: 2_000, phase: 0, progress: 30, actor: 'ann', reason: 'why', output: '1' },
  { holder: 78, timeoutMs: null, phase: 1, phaseCount: 3, progress: 70.5 },
]

for (const plan of PLANS) {
  test(`${plan.name} does in SQL what its rules say`, () => {
    const db = openDatabase()
    db.connection.exec('BEGIN')
    const all = combine(variedFor(plan)).filter((facts) => isPossible(plan, facts))
    const ends = new Set<boolean>()
    for (const facts of all) {
      for (const given of ALL_VALUES) {
        const { seenGeneration, seenFence, seenPhase } = facts
        const seen = seenPhase === null ? {} : { seenPhase }
        const values = { ...given, ...seen, seenGeneration, seenFence }
        try {
          ends.add(compare(db, { plan, facts, values }))
        } catch (error) {
          throw new Error(`${plan.name} of ${JSON.stringify(facts)} with ${JSON.stringify(values)}`, { cause: error })
        }
      }
    }
    assert.ok(ends.has(true) && ends.has(false), `${all.length} combinations, but all end alike`)
  })
}
