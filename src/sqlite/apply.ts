/**
 * A plan carried out: the guarded UPDATE, then, where it applied, what belongs to it in the same transaction: the event, the attempt that
 * ended, the phase's result, the artifact, the long output. `apply-calls.ts` has the short way for many plain calls.
 */
import { interpretPlan } from '../core/interpret.ts'
import type { Plan, PlanValues, Refusal } from '../core/plan.ts'
import type { NewArtifact, PlanCall, PlanResult } from '../store/claims.ts'
import { takeArtifactsAlong } from './artifacts.ts'
import { keepAudit } from './audit.ts'
import { INPUT, OUTPUT, dropBody, inlineBody, keepLongBody } from './bodies.ts'
import { STATE_CODES } from '../store/codes.ts'
import { RETURNED, compilePlan } from './compile.ts'
import type { CompiledCase, PlanInputs } from './compile.ts'
import type { Database } from './database.ts'
import type { Row } from './driver.ts'
import { keepCompletedAttempt, writeHistory } from './history.ts'
import type { Applied } from './history.ts'
import { idToBytes } from './ids.ts'
import { JOB_COLUMNS, appliedRow, jobRow } from './rows.ts'
import { hiddenFrom } from '../core/scope.ts'
import { endLock, extendLock } from './sessions.ts'

const compiled = new Map<string, readonly CompiledCase[]>()

function casesOf(plan: Plan, role: PlanInputs['scope']['role']): readonly CompiledCase[] {
  const name = `${plan.name} ${role}`
  const known = compiled.get(name)
  if (known !== undefined) return known
  const cases = compilePlan({ plan, role, returning: RETURNED })
  compiled.set(name, cases)
  return cases
}

/** The row as the plan left it, and by which case; null: the plan refused. Writes the row alone. */
export function updateByPlan(db: Database, plan: Plan, inputs: PlanInputs): Applied | null {
  for (const { apply, sql, values } of casesOf(plan, inputs.scope.role)) {
    const row = db.get(sql, ...values(inputs))
    if (row !== undefined) return { plan, apply, row }
  }
  return null
}

export function planInputs(db: Database, call: PlanCall): PlanInputs {
  return {
    key: call.jobId,
    now: db.now,
    scope: call.scope,
    // A claim is one on its own job.
    claim: call.claim?.jobId === call.jobId ? call.claim : null,
    values: storedValues(call),
    session: null,
  }
}

export function applyCall(db: Database, call: PlanCall): PlanResult {
  const inputs = planInputs(db, call)
  if (call.artifact !== undefined && artifactExists(db, call)) return refused(db, call, 'artifact-exists')
  const before = rowBefore(db, call)
  const applied = updateByPlan(db, call.plan, inputs)
  if (applied === null) return refused(db, call, null)
  keepChildren(db, applied, call, before)
  if (call.byHand !== undefined) keepLock(db, applied.row, call)
  const cutOff = call.plan.name === 'force-reset' ? before : null
  const { detail, error = null, stoppedBy = null } = call
  writeHistory(db, applied, { detail, error, stoppedBy, cutOff: cutOff ?? applied.row })
  return { applied: true, row: appliedRow(applied.row) }
}

/** A lock taken by hand lasts longer with each write, and is over with the attempt. */
function keepLock(db: Database, row: Row, { claim, byHand }: PlanCall): void {
  if (claim === null || byHand === undefined) return
  if (row['state'] === STATE_CODES.running) extendLock(db, claim.holder, byHand)
  else endLock(db, claim.holder)
}

/** What goes on the row: long texts don't, and a list of phases is as long as it is. */
function storedValues({ values, phaseNames }: PlanCall): PlanValues {
  const { output } = values
  const short = typeof output === 'string' ? { ...values, output: inlineBody(output) } : values
  return phaseNames === undefined ? short : { ...short, phaseCount: phaseNames.length }
}

/** What the update is going to overwrite and somebody needs: where a phase began, where an attempt was cut off, who completed it. */
function rowBefore(db: Database, { jobId, plan, result }: PlanCall): Row | null {
  const needed = result !== undefined || plan.name === 'force-reset' || plan.name === 'retry'
  return needed ? (db.get(ROW_BEFORE, idToBytes(jobId)) ?? null) : null
}

const ROW_BEFORE =
  'SELECT n, state, attempt, generation, session, started_at, finished_at, phase, phase_started_at, phase_list, progress ' +
  'FROM millrace_jobs WHERE id = ?'

/** The rows that belong to the change, in tables of their own. */
function keepChildren(db: Database, { apply, row }: Applied, call: PlanCall, before: Row | null): void {
  const n = Number(row['n'])
  const { result, phaseNames, artifact, input } = call
  const { output } = call.values
  if (result !== undefined && before !== null) keepPhase(db, n, before, result)
  if (phaseNames !== undefined) adoptPhaseNames(db, n, phaseNames)
  if (artifact !== undefined) keepArtifact(db, row, artifact)
  if (typeof output === 'string') keepLongBody(db, n, OUTPUT, output)
  if (apply.set.output === 'clear') dropBody(db, n, OUTPUT)
  if (apply.set.phase === 'set' && phaseNames === undefined) db.run(DROP_PHASES_FROM, n, Number(row['phase']))
  if (apply.set.generation === 'raise') takeArtifactsAlong(db, row)
  if (before?.['state'] === STATE_CODES.completed) keepCompletedAttempt(db, before)
  if (input !== undefined) replaceInput(db, n, input)
  if (call.audit !== undefined) keepAudit(db, { n, act: call.plan.name, role: call.scope.role, audit: call.audit })
}

const SET_INPUT = 'UPDATE millrace_jobs SET input = ? WHERE n = ?'

function replaceInput(db: Database, n: number, input: string): void {
  db.run(SET_INPUT, inlineBody(input), n)
  dropBody(db, n, INPUT)
  keepLongBody(db, n, INPUT, input)
}

const DROP_PHASES_FROM = 'DELETE FROM millrace_phases WHERE job = ? AND ordinal >= ?'
const BY_ID = `SELECT ${JOB_COLUMNS} FROM millrace_jobs AS j WHERE j.id = ?`
const ALIVE = 'SELECT 1 FROM millrace_sessions WHERE holder = ? AND ended_at IS NULL AND expires_at > ?'
const OTHER_HOLDS =
  'SELECT 1 FROM millrace_jobs WHERE type = ? AND tenant = ? AND unique_key = ? AND unique_key IS NOT NULL AND finished_at IS NULL AND id <> ?'

/** Nothing was written: the same plan, interpreted on the row as it is, tells why. */
function refused(db: Database, call: PlanCall, known: 'artifact-exists' | null): PlanResult {
  const found = db.get(BY_ID, idToBytes(call.jobId))
  if (found === undefined)
    return { applied: false, refusal: call.claim === null ? 'not-found' : 'lease-lost', row: null }
  const row = jobRow(found)
  const refusal = known ?? refusalOf(db, call, found)
  return { applied: false, refusal, row: hiddenFrom(call.scope, row) === 'not-found' ? null : row }
}

function refusalOf(db: Database, call: PlanCall, found: Row): Refusal {
  const row = jobRow(found)
  const outcome = interpretPlan(call.plan, row, {
    now: db.now,
    scope: call.scope,
    claim: call.claim,
    values: call.values,
    sessionAlive: (holder) => db.get(ALIVE, holder, db.now) !== undefined,
    uniqueHeld: () =>
      db.get(OTHER_HOLDS, found['type'] ?? null, row.tenant, row.uniqueKey, found['id'] ?? null) !== undefined,
  })
  if ('refused' in outcome) return outcome.refused
  throw new RangeError(`plan ${call.plan.name} was refused by the database but not by its rules`)
}

const INSERT_PHASE =
  'INSERT INTO millrace_phases (job, ordinal, generation, attempt, started_at, finished_at, result) VALUES (?, ?, ?, ?, ?, ?, ?)'

function keepPhase(db: Database, n: number, before: Row, result: string): void {
  const { phase, generation, attempt, phase_started_at: startedAt } = before
  db.run(INSERT_PHASE, n, phase ?? 0, generation ?? 0, attempt ?? 0, startedAt ?? null, db.now, result)
}

const SET_PHASE_LIST = 'UPDATE millrace_jobs SET phase_list = ? WHERE n = ?'

function adoptPhaseNames(db: Database, n: number, names: readonly string[]): void {
  db.run(SET_PHASE_LIST, db.internPhaseList(names), n)
}

const ARTIFACT_EXISTS =
  'SELECT 1 FROM millrace_artifacts AS a JOIN millrace_jobs AS j ON j.n = a.job AND j.generation = a.generation ' +
  'AND a.attempt = j.attempt WHERE j.id = ? AND a.name = ? AND j.holder IS ? AND j.fence = ?'
const INSERT_ARTIFACT =
  'INSERT OR REPLACE INTO millrace_artifacts (id, job, generation, attempt, phase, name, content_type, size_bytes, sha256, path, ' +
  'created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'

/**
 * Within one attempt a name is written once. An attempt that goes through the phase again replaces what an earlier one had written.
 * Asked under the claim: who has lost it is told that instead.
 */
function artifactExists(db: Database, { jobId, artifact, claim }: PlanCall): boolean {
  return (
    db.get(ARTIFACT_EXISTS, idToBytes(jobId), artifact?.name ?? '', claim?.holder ?? -1, claim?.fence ?? -1) !==
    undefined
  )
}

function keepArtifact(db: Database, row: Row, artifact: NewArtifact): void {
  db.run(
    INSERT_ARTIFACT,
    idToBytes(artifact.id),
    row['n'] ?? null,
    row['generation'] ?? null,
    row['attempt'] ?? null,
    artifact.phase,
    artifact.name,
    artifact.contentType,
    artifact.sizeBytes,
    Buffer.from(artifact.sha256, 'hex'),
    artifact.path,
    db.now,
    artifact.expiresInMs === null ? null : db.now + artifact.expiresInMs,
  )
}
