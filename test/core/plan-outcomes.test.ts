import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { interpretPlan } from '../../src/core/interpret.ts'
import type { Claim, JobRow } from '../../src/core/job-row.ts'
import type { Plan, PlanValues } from '../../src/core/plan.ts'
import {
  CANCEL,
  CANCEL_WAITING,
  CHECKPOINT,
  CLAIM,
  COMPLETE,
  COMPLETE_ONLY_PHASE,
  END_OF_GRACE,
  FAIL_FINAL,
  FAIL_RETRY,
  FORCE_FAIL,
  FORCE_RESET,
  PROMOTE,
  REAP,
  RELEASE,
  RETRY,
  RUN_NOW,
  TIME_OUT_RETRY,
} from '../../src/core/plans.ts'
import { NOW, rowIn, stopping } from './job-rows.ts'
import { admin, ann, bob, contextWith, foreign } from './plan-contexts.ts'
import type { Around } from './plan-contexts.ts'

const mine: Claim = { jobId: 'job-1', holder: 7, fence: 1 }
const asSeen = (row: JobRow): PlanValues => ({ seenGeneration: row.generation, seenFence: row.fence, phase: 0 })

interface Outcome {
  readonly title: string
  readonly plan: Plan
  readonly row: JobRow
  readonly around?: Around
  /** The refusal, or state, event and outcome of the attempt. */
  readonly gives: string
}

const finished = rowIn('running', { phase: 2 })
const keyed = rowIn('failed', { uniqueKey: 'daily' })

const outcomes: readonly Outcome[] = [
  { title: 'a queued job is claimed', plan: CLAIM, row: rowIn('queued'), gives: 'running job:started' },
  { title: 'a running job is not claimed again', plan: CLAIM, row: rowIn('running'), gives: 'not-queued' },
  {
    title: 'a job whose time has come is queued',
    plan: PROMOTE,
    row: rowIn('scheduled', { runAt: NOW }),
    gives: 'queued job:queued',
  },
  { title: 'a job waits for its time', plan: PROMOTE, row: rowIn('retrying'), gives: 'not-due' },
  { title: 'a queued job is not promoted', plan: PROMOTE, row: rowIn('queued'), gives: 'not-waiting' },
  {
    title: 'a holder finishes a phase',
    plan: CHECKPOINT,
    row: rowIn('running'),
    around: { claim: mine },
    gives: 'running phase:completed',
  },
  { title: 'nobody else does', plan: CHECKPOINT, row: rowIn('running'), gives: 'lease-lost' },
  {
    title: 'a job with all phases done is completed',
    plan: COMPLETE,
    row: finished,
    around: { claim: mine },
    gives: 'completed job:completed',
  },
  {
    title: 'a job with phases left is not',
    plan: COMPLETE,
    row: rowIn('running'),
    around: { claim: mine },
    gives: 'phases-left',
  },
  {
    title: 'a job of one phase is completed with it',
    plan: COMPLETE_ONLY_PHASE,
    row: rowIn('running', { phaseCount: 1 }),
    around: { claim: mine },
    gives: 'completed job:completed',
  },
  {
    title: 'a cancel that comes during the last commit comes too late',
    plan: COMPLETE,
    row: stopping({ phase: 2 }),
    around: { claim: mine },
    gives: 'completed job:completed',
  },
  {
    title: 'a failed attempt is tried again',
    plan: FAIL_RETRY,
    row: rowIn('running'),
    around: { claim: mine },
    gives: 'retrying job:retrying failed',
  },
  {
    title: 'a failed attempt is the last',
    plan: FAIL_FINAL,
    row: rowIn('running'),
    around: { claim: mine },
    gives: 'failed job:failed failed',
  },
  {
    title: 'a failure ends a job that was asked to stop',
    plan: FAIL_RETRY,
    row: stopping(),
    around: { claim: mine },
    gives: 'cancelled job:cancelled cancelled',
  },
  {
    title: 'so does a last failure',
    plan: FAIL_FINAL,
    row: stopping(),
    around: { claim: mine },
    gives: 'cancelled job:cancelled cancelled',
  },
  {
    title: 'a job is given back',
    plan: RELEASE,
    row: rowIn('running'),
    around: { claim: mine },
    gives: 'queued job:queued released',
  },
  {
    title: 'a job that was asked to stop is not',
    plan: RELEASE,
    row: stopping(),
    around: { claim: mine },
    gives: 'cancelled job:cancelled cancelled',
  },
  {
    title: 'the grace of a job that was asked to stop ends',
    plan: END_OF_GRACE,
    row: stopping(),
    around: { claim: mine },
    gives: 'cancelled job:cancelled cancelled',
  },
  {
    title: 'no other job has a grace',
    plan: END_OF_GRACE,
    row: rowIn('running'),
    around: { claim: mine },
    gives: 'no-cancel-pending',
  },
  {
    title: "a dead session's job is queued again",
    plan: REAP,
    row: rowIn('running'),
    around: { claim: mine },
    gives: 'queued job:queued lost',
  },
  {
    title: "a live session's job is left alone",
    plan: REAP,
    row: rowIn('running'),
    around: { claim: mine, alive: true },
    gives: 'session-alive',
  },
  {
    title: 'reaping ends a job that was asked to stop',
    plan: REAP,
    row: stopping(),
    around: { claim: mine },
    gives: 'cancelled job:cancelled cancelled',
  },
  {
    title: 'an attempt has its time',
    plan: TIME_OUT_RETRY,
    row: rowIn('running'),
    around: { claim: mine },
    gives: 'deadline-ahead',
  },
  {
    title: 'an attempt that took too long is tried again',
    plan: TIME_OUT_RETRY,
    row: rowIn('running', { deadlineAt: NOW }),
    around: { claim: mine },
    gives: 'retrying job:retrying timed-out',
  },
  {
    title: 'a time-out ends a job that was asked to stop',
    plan: TIME_OUT_RETRY,
    row: stopping({ deadlineAt: NOW }),
    around: { claim: mine },
    gives: 'cancelled job:cancelled cancelled',
  },
  {
    title: 'the owner cancels a queued job',
    plan: CANCEL,
    row: rowIn('queued'),
    around: { scope: ann },
    gives: 'cancelled job:cancelled',
  },
  {
    title: 'the owner cancels a retrying job',
    plan: CANCEL,
    row: rowIn('retrying'),
    around: { scope: ann },
    gives: 'cancelled job:cancelled',
  },
  {
    title: 'the owner asks a running job to stop',
    plan: CANCEL,
    row: rowIn('running'),
    around: { scope: ann },
    gives: 'running job:cancel-requested',
  },
  { title: 'asking twice is no error', plan: CANCEL, row: stopping(), around: { scope: ann }, gives: 'already' },
  {
    title: 'cancelling a cancelled job is none either',
    plan: CANCEL,
    row: rowIn('cancelled'),
    around: { scope: ann },
    gives: 'already',
  },
  {
    title: 'a completed job is not cancelled',
    plan: CANCEL,
    row: rowIn('completed'),
    around: { scope: ann },
    gives: 'final',
  },
  {
    title: 'another member may not cancel',
    plan: CANCEL,
    row: rowIn('queued'),
    around: { scope: bob },
    gives: 'forbidden',
  },
  {
    title: 'to another tenant the job is not there',
    plan: CANCEL,
    row: rowIn('queued'),
    around: { scope: foreign },
    gives: 'not-found',
  },
  {
    title: 'a job that waits is cancelled by whoever wants waiting ones alone',
    plan: CANCEL_WAITING,
    row: rowIn('scheduled'),
    around: { scope: ann },
    gives: 'cancelled job:cancelled',
  },
  {
    title: 'one that runs by now is not',
    plan: CANCEL_WAITING,
    row: rowIn('running'),
    around: { scope: ann },
    gives: 'not-waiting',
  },
  {
    title: 'nor one that is over by now',
    plan: CANCEL_WAITING,
    row: rowIn('failed'),
    around: { scope: ann },
    gives: 'final',
  },
  {
    title: 'one that was cancelled by now is as it should be',
    plan: CANCEL_WAITING,
    row: rowIn('cancelled'),
    around: { scope: ann },
    gives: 'already',
  },
  {
    title: 'a failed job is retried',
    plan: RETRY,
    row: rowIn('failed'),
    around: { scope: ann, values: asSeen(rowIn('failed')) },
    gives: 'queued job:queued',
  },
  {
    title: 'an unfinished job is not',
    plan: RETRY,
    row: rowIn('queued'),
    around: { values: asSeen(rowIn('queued')) },
    gives: 'not-final',
  },
  { title: 'a job that moved on is not', plan: RETRY, row: rowIn('failed'), gives: 'moved-on' },
  {
    title: 'nor one whose unique key another job holds',
    plan: RETRY,
    row: keyed,
    around: { held: true, values: asSeen(keyed) },
    gives: 'unique-held',
  },
  {
    title: 'a waiting job is run now',
    plan: RUN_NOW,
    row: rowIn('scheduled'),
    around: { scope: ann },
    gives: 'queued job:queued',
  },
  {
    title: 'a queued job is as it should be',
    plan: RUN_NOW,
    row: rowIn('queued'),
    around: { scope: ann },
    gives: 'already',
  },
  {
    title: 'a running job does not wait',
    plan: RUN_NOW,
    row: rowIn('running'),
    around: { scope: ann },
    gives: 'not-waiting',
  },
  {
    title: 'an admin ends a waiting job',
    plan: FORCE_FAIL,
    row: rowIn('queued'),
    around: { scope: admin },
    gives: 'failed job:failed',
  },
  {
    title: 'an admin ends a running job',
    plan: FORCE_FAIL,
    row: stopping(),
    around: { scope: admin },
    gives: 'failed job:failed forced',
  },
  {
    title: 'an admin ends no job twice',
    plan: FORCE_FAIL,
    row: rowIn('failed'),
    around: { scope: admin },
    gives: 'final',
  },
  {
    title: 'the owner is no admin',
    plan: FORCE_FAIL,
    row: rowIn('queued'),
    around: { scope: ann },
    gives: 'forbidden',
  },
  {
    title: 'an admin resets a running job',
    plan: FORCE_RESET,
    row: stopping(),
    around: { scope: admin, values: asSeen(stopping()) },
    gives: 'queued job:queued forced',
  },
  {
    title: 'an admin resets a waiting job',
    plan: FORCE_RESET,
    row: rowIn('retrying'),
    around: { scope: admin, values: asSeen(rowIn('retrying')) },
    gives: 'queued job:queued',
  },
  {
    title: 'an admin resets a failed job',
    plan: FORCE_RESET,
    row: keyed,
    around: { scope: admin, values: asSeen(keyed) },
    gives: 'queued job:queued',
  },
  {
    title: 'but none whose unique key another job holds',
    plan: FORCE_RESET,
    row: keyed,
    around: { scope: admin, held: true, values: asSeen(keyed) },
    gives: 'unique-held',
  },
  {
    title: 'nor a completed one',
    plan: FORCE_RESET,
    row: rowIn('completed'),
    around: { scope: admin, values: asSeen(rowIn('completed')) },
    gives: 'final',
  },
  {
    title: 'nor one that moved on since the admin looked',
    plan: FORCE_RESET,
    row: rowIn('failed'),
    around: { scope: admin },
    gives: 'moved-on',
  },
]

describe('what plans give', () => {
  for (const { title, plan, row, around = {}, gives } of outcomes) {
    test(`${title} (${plan.name}: ${gives})`, () => {
      const outcome = interpretPlan(plan, row, contextWith(around))
      const given =
        'refused' in outcome
          ? outcome.refused
          : [outcome.row.state, outcome.event, outcome.ends].filter((part) => part !== null).join(' ')
      assert.equal(given, gives)
    })
  }
})
