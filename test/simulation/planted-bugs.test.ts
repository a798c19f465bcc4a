/** A test of the test: with a bug in the store, the simulation finds a seed in which something does not hold. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { isRefusal } from '../../src/core/plan.ts'
import type { Condition, Plan } from '../../src/core/plan.ts'
import type { Enqueued } from '../../src/store/jobs.ts'
import type { Store } from '../../src/store/store.ts'
import type { Defect, ModelState } from '../support/model-state.ts'
import { runWorld } from './world.ts'
import type { Planted } from './world.ts'

const MOST_SEEDS = 200

/** The invariant that was broken first, in the first seed that breaks one. */
async function firstViolation(planted: Planted): Promise<string> {
  for (let seed = 1; seed <= MOST_SEEDS; seed += 1) {
    const { violation } = await runWorld({ seed, planted })
    if (violation !== null) return violation.invariant
  }
  return `none in ${MOST_SEEDS} seeds`
}

/** The plans of these names without the case for that condition. */
function without(condition: Condition, ...names: readonly string[]): Defect {
  const known = new Map<Plan, Plan>()
  return (plan) => {
    if (!names.includes(plan.name)) return plan
    const cut = known.get(plan) ?? { ...plan, cases: plan.cases.filter(({ when }) => !when.includes(condition)) }
    known.set(plan, cut)
    return cut
  }
}

function everySessionLooksDead({ sessions }: ModelState): void {
  for (const session of sessions.values()) session.expiresAt = 0
}

function nobodyWroteLately({ jobs }: ModelState): void {
  for (const job of jobs.values()) job.updatedAt = 0
}

/** Answers before anything is committed. */
function answersTooSoon(store: Store): Store {
  const enqueue: Store['jobs']['enqueue'] = async (jobs) => {
    store.jobs.enqueue(jobs).catch(() => {})
    return jobs.map(({ id }): Enqueued => ({ outcome: 'created', id, state: 'queued' }))
  }
  return { ...store, jobs: { ...store.jobs, enqueue } }
}

/** Hands out the first job of an answer twice. */
function handsOutTwice(store: Store): Store {
  const claim: Store['claims']['claim'] = async (request) => {
    const claimed = await store.claims.claim(request)
    return { ...claimed, jobs: [...claimed.jobs, ...claimed.jobs.slice(0, 1)] }
  }
  return { ...store, claims: { ...store.claims, claim } }
}

/** Says to no worker that its session has been lost. */
function losesInSilence(store: Store): Store {
  const claim: Store['claims']['claim'] = async (request) => {
    const claimed = await store.claims.claim(request)
    return { ...claimed, sessionLost: false }
  }
  const open: Store['sessions']['open'] = (session) => store.sessions.open(session, () => {})
  return { ...store, claims: { ...store.claims, claim }, sessions: { ...store.sessions, open } }
}

const BUGS: readonly { readonly bug: string; readonly planted: Planted; readonly breaks: readonly string[] }[] = [
  {
    bug: 'completes a job for whoever asks',
    planted: { plan: without('claim-lost', 'complete', 'complete-only-phase') },
    breaks: ['a write is accepted only from the present claim'],
  },
  {
    bug: 'takes progress and log lines from whoever tells them',
    planted: { plan: without('claim-lost', 'progress', 'progress-told', 'log') },
    breaks: ['a write is accepted only from the present claim'],
  },
  {
    bug: 'forgets a cancel when the attempt fails',
    planted: { plan: without('cancel-pending', 'fail-retry', 'fail-final') },
    breaks: ['a pending cancel is never lost'],
  },
  {
    bug: 'forgets a cancel when the worker dies',
    planted: { plan: without('cancel-pending', 'reap', 'reap-suspect', 'reap-strike') },
    breaks: ['every job is sound'],
  },
  {
    bug: 'keeps a phase result twice',
    planted: { plan: without('phase-moved', 'checkpoint') },
    breaks: ['a phase begins when those before it are done', 'what was accepted was done, once', 'every job is sound'],
  },
  {
    bug: 'cancels a job that is over',
    planted: { plan: without('final', 'cancel') },
    breaks: ['every move is one of the state machine'],
  },
  {
    bug: 'takes jobs from sessions that live',
    planted: { beforeSweep: everySessionLooksDead },
    breaks: ['a live session keeps its jobs'],
  },
  {
    bug: 'takes jobs from drivers who have just written',
    planted: { beforeSweep: nobodyWroteLately },
    breaks: ['whoever drives a job by hand keeps it while he writes'],
  },
  {
    bug: 'acknowledges jobs before they are kept',
    planted: { store: answersTooSoon },
    breaks: ['an acknowledged job is there, or was deleted'],
  },
  { bug: 'hands out a job twice', planted: { store: handsOutTwice }, breaks: ['a phase is begun once at a fence'] },
  {
    bug: 'loses sessions in silence',
    planted: { store: losesInSilence },
    breaks: ['every worker goes on'],
  },
]

describe('a store that', () => {
  for (const { bug, planted, breaks } of BUGS) {
    test(`${bug} is found out`, async () => {
      const invariant = await firstViolation(planted)
      assert(breaks.includes(invariant), invariant)
    })
  }
})

test('a plan without the case is another plan', () => {
  const plan: Plan = {
    name: 'p',
    cases: [
      { when: ['claim-lost'], refuse: 'lease-lost' },
      { when: [], set: {} },
    ],
  }
  assert.deepEqual(without('claim-lost', 'p')(plan).cases.filter(isRefusal), [])
})
