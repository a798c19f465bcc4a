import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { explainWaiting } from '../../src/core/explain.ts'
import type { HolderFacts, LockFacts, ReasonCode, WaitingFacts } from '../../src/core/explain.ts'

const NOW = 1_000_000
const holder: HolderFacts = {
  service: 'workers',
  host: 'mill-1',
  pid: 77,
  since: NOW - 60_000,
  fence: 3,
  alive: true,
  blockedSince: null,
}

/** A queued job that nothing keeps from running, with changes. */
function facts(changes: Partial<WaitingFacts> = {}): WaitingFacts {
  return {
    now: NOW,
    state: 'queued',
    runAt: NOW - 1_000,
    finishedAt: null,
    type: 'map.export',
    queue: 'maps',
    service: 'workers',
    paused: null,
    workers: { count: 2, freeSlots: 3 },
    bystanders: { withoutHandler: 0, outdated: 0, draining: 0 },
    jobsAhead: 0,
    holder: null,
    deadlineAt: null,
    cancel: null,
    failures: 0,
    maxAttempts: 3,
    suspect: false,
    lastError: null,
    uniqueHeldBy: null,
    ...changes,
  }
}

const lock: LockFacts = { by: 'ann', expiresAt: NOW + 60_000, stuckAt: NOW + 300_000 }
const running = { state: 'running', holder } as const
const paused = { at: NOW - 300_000, by: 'ann' }
const noWorkers = { count: 0, freeSlots: 0 }

interface Row {
  readonly facts: WaitingFacts
  readonly summary: string
  readonly codes: readonly ReasonCode[]
}

const rows: readonly Row[] = [
  {
    facts: facts(),
    summary: 'The job is queued: nothing stands in its way, and the next claim takes it.',
    codes: ['ready'],
  },
  {
    facts: facts({ service: null, workers: noWorkers }),
    summary: 'The job is queued: no service has registered its type "map.export".',
    codes: ['no-owner'],
  },
  {
    facts: facts({ paused }),
    summary: 'The job is queued: its queue "maps" was paused by ann 5m ago.',
    codes: ['queue-paused'],
  },
  {
    facts: facts({ workers: noWorkers }),
    summary: 'The job is queued: no worker of the service "workers" that handles "map.export" is alive.',
    codes: ['no-worker'],
  },
  {
    facts: facts({ workers: noWorkers, bystanders: { withoutHandler: 1, outdated: 0, draining: 0 } }),
    summary: 'The job is queued: no handler for "map.export" is among those of 1 live worker of "workers".',
    codes: ['worker-lacks-type'],
  },
  {
    facts: facts({ workers: noWorkers, bystanders: { withoutHandler: 1, outdated: 2, draining: 0 } }),
    summary: 'The job is queued: 2 live workers of "workers" handled "map.export" before it was handed over.',
    codes: ['worker-outdated'],
  },
  {
    facts: facts({ workers: noWorkers, bystanders: { withoutHandler: 1, outdated: 2, draining: 1 } }),
    summary: 'The job is queued: 1 live worker of "workers" that could take it is being stopped, and no other lives.',
    codes: ['worker-draining'],
  },
  {
    facts: facts({ workers: noWorkers, bystanders: { withoutHandler: 0, outdated: 0, draining: 2 } }),
    summary: 'The job is queued: 2 live workers of "workers" that could take it are being stopped, and no other lives.',
    codes: ['worker-draining'],
  },
  {
    facts: facts({ bystanders: { withoutHandler: 0, outdated: 0, draining: 1 } }),
    summary: 'The job is queued: nothing stands in its way, and the next claim takes it.',
    codes: ['ready'],
  },
  {
    facts: facts({ bystanders: { withoutHandler: 1, outdated: 1, draining: 0 } }),
    summary: 'The job is queued: nothing stands in its way, and the next claim takes it.',
    codes: ['ready'],
  },
  {
    facts: facts({ workers: { count: 1, freeSlots: 0 } }),
    summary: 'The job is queued: every slot of 1 live worker is taken.',
    codes: ['no-free-slot'],
  },
  {
    facts: facts({ suspect: true }),
    summary: 'The job is queued: a worker died while running it, so a worker takes it only beside no other such job.',
    codes: ['suspect'],
  },
  {
    facts: facts({ jobsAhead: 3 }),
    summary: 'The job is queued: 3 queued jobs of its type come before it.',
    codes: ['jobs-ahead'],
  },
  {
    facts: facts({ jobsAhead: 1, workers: { count: 2, freeSlots: 1 } }),
    summary: 'The job is queued: 1 queued job of its type comes before it.',
    codes: ['jobs-ahead'],
  },
  {
    facts: facts({ jobsAhead: 2 }),
    summary: 'The job is queued: nothing stands in its way, and the next claim takes it.',
    codes: ['ready'],
  },
  {
    facts: facts({ workers: { count: 2, freeSlots: null } }),
    summary:
      'The job is queued: nothing that you may see stands in its way, and a worker takes it with its next free slot.',
    codes: ['ready'],
  },
  {
    facts: facts({ jobsAhead: 1, workers: { count: 2, freeSlots: null } }),
    summary: 'The job is queued: 1 queued job of its type comes before it.',
    codes: ['jobs-ahead'],
  },
  {
    facts: facts({ state: 'scheduled', runAt: NOW + 90_000 }),
    summary: 'The job is scheduled: its time comes in 1m 30s.',
    codes: ['scheduled'],
  },
  {
    facts: facts({ state: 'scheduled', runAt: NOW - 2_000 }),
    summary: 'The job is scheduled: its time came 2s ago, and the next claim or sweep puts it into the queue.',
    codes: ['due'],
  },
  {
    facts: facts({
      state: 'retrying',
      runAt: NOW + 4_000,
      failures: 1,
      lastError: 'connect ECONNREFUSED\n  at socket',
    }),
    summary:
      'The job is retrying: it has failed 1 of at most 3 times ("connect ECONNREFUSED at socket"), and is tried again in 4s.',
    codes: ['backoff'],
  },
  {
    facts: facts({ state: 'retrying', runAt: NOW, failures: 2 }),
    summary: 'The job is retrying: its time came just now, and the next claim or sweep puts it into the queue.',
    codes: ['due'],
  },
  {
    facts: facts({ ...running }),
    summary: 'The job is running: "workers" on mill-1 (process 77, fence 3) took it 1m ago.',
    codes: ['running'],
  },
  {
    facts: facts({ ...running, cancel: { at: NOW - 1_000, by: 'ann' } }),
    summary: 'The job is running: ann asked it to stop 1s ago (and 1 more reason).',
    codes: ['stopping', 'running'],
  },
  {
    facts: facts({ ...running, deadlineAt: NOW - 1_000 }),
    summary: 'The job is running: its attempt had to end 1s ago, and the next sweep ends it (and 1 more reason).',
    codes: ['overdue', 'running'],
  },
  {
    facts: facts({ ...running, deadlineAt: NOW + 1 }),
    summary: 'The job is running: "workers" on mill-1 (process 77, fence 3) took it 1m ago.',
    codes: ['running'],
  },
  {
    facts: facts({ ...running, holder: { ...holder, blockedSince: NOW - 45_000 } }),
    summary: 'The job is running: the event loop of its worker has stood still for 45s (and 1 more reason).',
    codes: ['holder-blocked', 'running'],
  },
  {
    facts: facts({ ...running, holder: { ...holder, alive: false, blockedSince: NOW - 45_000 } }),
    summary:
      'The job is running: the lease of its worker has run out, and the next sweep takes the job back (and 1 more reason).',
    codes: ['holder-lost', 'running'],
  },
  {
    facts: facts({ ...running, holder: { ...holder, alive: false } }),
    summary:
      'The job is running: the lease of its worker has run out, and the next sweep takes the job back (and 1 more reason).',
    codes: ['holder-lost', 'running'],
  },
  {
    facts: facts({ ...running, holder: null }),
    summary:
      'The job is running: the lease of its worker has run out, and the next sweep takes the job back (and 1 more reason).',
    codes: ['holder-lost', 'running'],
  },
  {
    facts: facts({ state: 'completed', finishedAt: NOW - 3_600_000 }),
    summary: 'The job is completed: it completed 1h ago.',
    codes: ['completed'],
  },
  {
    facts: facts({ state: 'failed', finishedAt: NOW - 1_000, failures: 3, lastError: 'not found' }),
    summary: 'The job is failed: it failed 1s ago, with 3 of at most 3 failures ("not found").',
    codes: ['failed'],
  },
  {
    facts: facts({ state: 'failed', finishedAt: null, failures: 1, maxAttempts: 1 }),
    summary: 'The job is failed: it failed at an unknown time, with 1 of at most 1 failure.',
    codes: ['failed'],
  },
  {
    facts: facts({ state: 'cancelled', finishedAt: NOW - 1_000, cancel: { at: NOW - 1_000, by: 'ann' } }),
    summary: 'The job is cancelled: it was cancelled by ann 1s ago.',
    codes: ['cancelled'],
  },
  {
    facts: facts({ state: 'cancelled', finishedAt: NOW - 1_000 }),
    summary: 'The job is cancelled: it was cancelled by system 1s ago.',
    codes: ['cancelled'],
  },
  {
    facts: facts({ state: 'failed', finishedAt: NOW - 1_000, failures: 3, uniqueHeldBy: 'job-2' }),
    summary: 'The job is failed: it failed 1s ago, with 3 of at most 3 failures (and 1 more reason).',
    codes: ['failed', 'unique-held'],
  },
  {
    facts: facts({ ...running, holder: { ...holder, lock } }),
    summary:
      'The job is running: ann drives it by hand, having taken it 1m ago ("workers" on mill-1, process 77, fence 3).',
    codes: ['running'],
  },
  {
    facts: facts({ ...running, holder: { ...holder, alive: false, lock: { ...lock, expiresAt: NOW - 120_000 } } }),
    summary:
      'The job is running: the lock of ann ran out 2m ago, and the job is taken back in 5m unless ann writes before ' +
      '(and 1 more reason).',
    codes: ['holder-lost', 'running'],
  },
  {
    facts: facts({
      ...running,
      holder: { ...holder, alive: false, lock: { by: 'ann', expiresAt: NOW - 1, stuckAt: NOW } },
    }),
    summary:
      'The job is running: the lock of ann ran out 1ms ago, and the next sweep takes the job back (and 1 more reason).',
    codes: ['holder-lost', 'running'],
  },
]

describe('why a job is not running', () => {
  for (const { facts: given, summary, codes } of rows) {
    test(`${summary} [${codes.join(', ')}]`, () => {
      const explanation = explainWaiting(given)
      assert.equal(explanation.state, given.state)
      assert.equal(explanation.summary, summary)
      assert.deepEqual(
        explanation.reasons.map(({ code }) => code),
        codes,
      )
    })
  }

  test('what nobody changes unasked comes first, then what needs a worker, then what needs time', () => {
    const all = { paused, workers: noWorkers, suspect: true, jobsAhead: 4, runAt: NOW + 1_000, failures: 1 }
    const codesOf = (changes: Partial<WaitingFacts>): readonly ReasonCode[] =>
      explainWaiting(facts({ ...all, ...changes })).reasons.map(({ code }) => code)
    assert.deepEqual(codesOf({ state: 'retrying' }), ['queue-paused', 'no-worker', 'backoff', 'suspect'])
    assert.deepEqual(codesOf({ state: 'scheduled', service: null }), [
      'no-owner',
      'queue-paused',
      'scheduled',
      'suspect',
    ])
    assert.deepEqual(codesOf({ workers: { count: 1, freeSlots: 0 } }), [
      'queue-paused',
      'no-free-slot',
      'suspect',
      'jobs-ahead',
    ])
  })

  test('the summary counts the reasons that it leaves out', () => {
    const { summary } = explainWaiting(facts({ paused, workers: noWorkers, jobsAhead: 4 }))
    assert.equal(summary, 'The job is queued: its queue "maps" was paused by ann 5m ago (and 2 more reasons).')
  })

  test('every reason is a sentence, and so is what can be done about it', () => {
    for (const { facts: given } of rows) {
      for (const { message, action = 'None.' } of explainWaiting(given).reasons) {
        assert.match(message, /^[A-Z"0-9].*[^.]\.$/s)
        assert.match(action, /^[A-Z].*\.$/)
      }
    }
  })

  test('what stands in the way says what to do about it', () => {
    const actionOf = (changes: Partial<WaitingFacts>): string | undefined =>
      explainWaiting(facts(changes)).reasons[0]?.action
    assert.equal(actionOf({ service: null }), 'Start a worker with a handler for "map.export".')
    assert.equal(actionOf({ paused }), 'Resume the queue "maps".')
    assert.equal(actionOf({ workers: noWorkers }), 'Start a worker of the service "workers".')
    assert.equal(actionOf({ state: 'failed' }), 'Retry it to run it again.')
    assert.equal(actionOf({}), undefined)
  })

  test('a long error is cut', () => {
    const { reasons } = explainWaiting(
      facts({ state: 'failed', finishedAt: NOW, failures: 3, lastError: 'x'.repeat(300) }),
    )
    assert.match(reasons[0]?.message ?? '', /"x{200}…"/)
  })

  test('whoever runs a job is named with where and since when', () => {
    const { reasons } = explainWaiting(facts({ ...running, holder: null }))
    assert.equal(reasons[1]?.message, 'Nobody is known to run it.')
  })
})
