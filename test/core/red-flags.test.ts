import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { FLIP_SAMPLES, RED_FLAG_WINDOW_MS, redFlagKey, redFlagsOf, sameWindow } from '../../src/core/red-flags.ts'
import type { EndedEvidence, Evidence, RedFlag, TypeEvidence } from '../../src/core/red-flags.ts'

const NOW = 1_000_000_000
const worker = { service: 'maps', types: ['map.export'], epoch: 1 }

function typeWith(changes: Partial<TypeEvidence> = {}): TypeEvidence {
  const expect = { minDurationMs: null, output: false }
  return { type: 'map.export', service: 'maps', epoch: 1, expect, waiting: 'none', ...changes }
}

function flagsOf(changes: Partial<Evidence> = {}): readonly RedFlag[] {
  const nothing = { types: [typeWith()], sessions: [worker], refusals: [], ended: [], entities: [] }
  return redFlagsOf({ now: NOW, ...nothing, ...changes })
}

/** That many jobs that ended alike. */
function ended(count: number, changes: Partial<EndedEvidence> = {}): readonly EndedEvidence[] {
  return Array.from({ length: count }, (_, index) => ({
    jobId: `job-${index}`,
    type: 'map.export',
    state: 'completed',
    endedAt: NOW - 1_000,
    durationMs: 500,
    hasOutput: true,
    worker: { service: 'maps', host: 'a', version: '1' },
    ...changes,
  }))
}

const onHost = (host: string): Partial<EndedEvidence> => ({ worker: { service: 'maps', host, version: null } })
const slow = typeWith({ expect: { minDurationMs: 1_000, output: false } })
const withOutput = typeWith({ expect: { minDurationMs: null, output: true } })
const failed = { state: 'failed' } as const

interface Row {
  readonly what: string
  readonly evidence: Partial<Evidence>
  /** Of the one flag; null: there is none. */
  readonly message: string | null
  readonly code?: string
}

const rows: readonly Row[] = [
  { what: 'nothing', evidence: {}, message: null },
  {
    what: 'jobs that nobody owns',
    evidence: { types: [typeWith({ service: null, epoch: 0, waiting: 'later' })] },
    code: 'no-owner',
    message: 'Jobs of the type "map.export" wait, and no service has registered it.',
  },
  { what: 'a type that nobody owns, without jobs', evidence: { types: [typeWith({ service: null })] }, message: null },
  {
    what: 'jobs that are due, and no worker',
    evidence: { types: [typeWith({ waiting: 'due' })], sessions: [] },
    code: 'no-worker',
    message: 'Jobs of the type "map.export" are due, and no live worker of its service takes them.',
  },
  {
    what: 'jobs that are due, and a worker from before the hand-over',
    evidence: { types: [typeWith({ waiting: 'due', epoch: 2 })] },
    code: 'no-worker',
    message:
      'Jobs of the type "map.export" are due, and the live workers of its service were started before it was handed over.',
  },
  { what: 'jobs that are due, and a worker', evidence: { types: [typeWith({ waiting: 'due' })] }, message: null },
  {
    what: 'jobs that wait for their time, and no worker',
    evidence: { types: [typeWith({ waiting: 'later' })], sessions: [] },
    message: null,
  },
  {
    what: 'a second service',
    evidence: { refusals: [{ type: 'map.export', service: 'web', refusedAt: NOW - 60_000 }] },
    code: 'two-services',
    message: 'The service "web" tried to work on the type "map.export" 1m ago, and "maps" owns it.',
  },
  {
    what: 'a second service, long ago',
    evidence: { refusals: [{ type: 'map.export', service: 'web', refusedAt: NOW - RED_FLAG_WINDOW_MS }] },
    message: null,
  },
  {
    what: 'a second service, of a type that it can not have',
    evidence: {
      types: [typeWith({ service: null })],
      refusals: [{ type: 'map.export', service: 'web', refusedAt: NOW }],
    },
    code: 'two-services',
    message: 'The service "web" tried to work on the type "map.export" 0ms ago, and "nobody" owns it.',
  },
  {
    what: 'jobs that were too fast',
    evidence: { types: [slow], ended: [...ended(2), ...ended(1, { durationMs: 1_000 })] },
    code: 'too-fast',
    message:
      '2 of the last 3 completed jobs of the type "map.export" took less than 1s, which its definition expects at least.',
  },
  {
    what: 'jobs that were slow enough, failed, needed several attempts, or ended long ago',
    evidence: {
      types: [slow],
      ended: [
        ...ended(1, { durationMs: 1_000 }),
        ...ended(1, failed),
        ...ended(1, { durationMs: null }),
        ...ended(1, { endedAt: NOW - RED_FLAG_WINDOW_MS }),
      ],
    },
    message: null,
  },
  {
    what: 'jobs without their output',
    evidence: { types: [withOutput], ended: [...ended(1), ...ended(1, { hasOutput: false })] },
    code: 'no-output',
    message: '1 of the last 2 completed jobs of the type "map.export" have no output, which its definition declares.',
  },
  {
    what: 'failed jobs without output',
    evidence: { types: [withOutput], ended: ended(1, { ...failed, hasOutput: false }) },
    message: null,
  },
  {
    what: 'jobs without an output that nobody declared',
    evidence: { ended: ended(1, { hasOutput: false }) },
    message: null,
  },
  {
    what: 'a host on which jobs fail',
    evidence: { ended: [...ended(FLIP_SAMPLES, onHost('a')), ...ended(FLIP_SAMPLES, { ...onHost('b'), ...failed })] },
    code: 'outcome-flips',
    message: 'Of the last jobs of the type "map.export", 10 of 10 failed on the host "b", and 0 of 10 on "a".',
  },
  {
    what: 'a version with which jobs fail',
    evidence: {
      ended: ['1', '2'].flatMap((version) =>
        ended(FLIP_SAMPLES, {
          worker: { service: 'maps', host: 'a', version },
          state: version === '2' ? 'failed' : 'completed',
        }),
      ),
    },
    code: 'outcome-flips',
    message: 'Of the last jobs of the type "map.export", 10 of 10 failed on the version "2", and 0 of 10 on "1".',
  },
  {
    what: 'a host with few jobs, which failed, and jobs of which nobody knows where they ran',
    evidence: {
      ended: [
        ...ended(FLIP_SAMPLES, onHost('a')),
        ...ended(FLIP_SAMPLES - 1, { ...onHost('b'), ...failed }),
        ...ended(FLIP_SAMPLES, { ...failed, worker: null }),
      ],
    },
    message: null,
  },
  {
    what: 'hosts that differ by less than a half',
    evidence: {
      ended: [
        ...ended(FLIP_SAMPLES, onHost('a')),
        ...ended(6, onHost('b')),
        ...ended(4, { ...onHost('b'), ...failed }),
      ],
    },
    message: null,
  },
  {
    what: 'an entity that is not finished',
    evidence: { entities: [{ jobId: 'job-1', type: 'map.export', endedAt: NOW - 120_000, status: 'PROCESSING' }] },
    code: 'entity-unfinished',
    message: 'Job job-1 of the type "map.export" ended 2m ago, and what it was about is still "PROCESSING".',
  },
  {
    what: 'facts about other types',
    evidence: {
      types: [slow],
      refusals: [{ type: 'other', service: 'web', refusedAt: NOW }],
      ended: ended(1, { type: 'other' }),
      entities: [{ jobId: 'job-1', type: 'other', endedAt: NOW, status: 'PROCESSING' }],
    },
    message: null,
  },
]

describe('red flags', () => {
  for (const { what, evidence, message, code } of rows) {
    test(`${what}: ${code ?? 'none'}`, () => {
      const told = flagsOf(evidence).map((flag) => [flag.code, flag.message])
      assert.deepEqual(told, message === null ? [] : [[code, message]])
    })
  }

  test('a service on which jobs fail is named, with a job that did', () => {
    const ofService = (service: string): Partial<EndedEvidence> => ({ worker: { service, host: 'a', version: '1' } })
    const [flag, ...others] = flagsOf({
      ended: [
        ...ended(FLIP_SAMPLES, ofService('maps')),
        ...ended(FLIP_SAMPLES, { ...ofService('old-maps'), ...failed }),
      ],
    })
    assert.deepEqual([flag?.service, flag?.jobId, others], ['old-maps', 'job-0', []])
  })

  test('each says what to do', () => {
    for (const { evidence } of rows) for (const { action } of flagsOf(evidence)) assert.match(action, /^[A-Z]/)
    const [refused] = flagsOf({ refusals: [{ type: 'map.export', service: 'web', refusedAt: NOW }] })
    assert.match(refused?.action ?? '', /millrace owners transfer map\.export --from maps --to web$/)
  })

  test('the same trouble has the same key, whatever its numbers and examples', () => {
    const flag = { code: 'too-fast', type: 'a', jobId: 'job-1', message: '', action: '' } as const
    assert.equal(redFlagKey(flag), redFlagKey({ ...flag, jobId: 'job-2', message: '3 of 4' }))
    assert.notEqual(redFlagKey(flag), redFlagKey({ ...flag, type: 'b' }))
    assert.notEqual(redFlagKey(flag), redFlagKey({ ...flag, service: 'maps' }))
    const entity = { ...flag, code: 'entity-unfinished' } as const
    assert.notEqual(redFlagKey(entity), redFlagKey({ ...entity, jobId: 'job-2' }))
    assert.equal(redFlagKey(entity), redFlagKey({ ...entity, message: 'later' }))
    const { jobId: _jobId, ...nameless } = entity
    assert.notEqual(redFlagKey(entity), redFlagKey(nameless))
  })
})

describe('jobs are compared', () => {
  const jobs = [
    { state: 'completed', endedAt: 30 },
    { state: 'completed', endedAt: 20 },
    { state: 'failed', endedAt: 10 },
  ]

  test('all of them, where all were looked at', () => assert.deepEqual(sameWindow(jobs, 3), jobs))

  test('since the oldest that was looked at, where there are more of its state', () => {
    assert.deepEqual(sameWindow(jobs, 2), jobs.slice(0, 2))
  })
})
