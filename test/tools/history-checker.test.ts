import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { checkHistory, NO_FINDINGS } from '../support/history-checker.ts'
import type { Accepted, Findings, History, Note } from '../support/history-checker.ts'

type Event = History['events'][number]

const ID = 'job-1'

function event(name: Event['name'], attempt: number, detail: Event['detail'] = {}): Event {
  return { jobId: ID, name, attempt, detail }
}

/** A phase from its beginning to its end, two moments later. */
function notes(phase: string, attempt: number, fence: number, from: number): readonly Note[] {
  const note = { jobId: ID, phase, attempt, fence }
  return [
    { ...note, moment: 'enter', at: from },
    { ...note, moment: 'leave', at: from + 2 },
  ]
}

function accepted(phase: string, fence: number): Accepted {
  return { jobId: ID, phase, fence }
}

/** Killed after its first phase: the next attempt has a fence that the reaping has raised too. */
const SOUND: History = {
  acknowledged: [ID],
  events: [
    event('job:queued', 0),
    event('job:started', 1, { phase: 'clean' }),
    event('phase:completed', 1, { phase: 'clean', next: 'grind' }),
    event('job:log', 1, { level: 'info', message: 'grinding', fields: { fence: 1 } }),
    event('job:queued', 1, { cause: 'reap-suspect' }),
    event('job:started', 2, { phase: 'grind' }),
    event('job:log', 2, { level: 'info', message: 'grinding', fields: { fence: 3 } }),
    event('phase:completed', 2, { phase: 'grind', next: null }),
    event('job:completed', 2),
  ],
  notes: [...notes('clean', 1, 1, 10), ...notes('grind', 1, 1, 13), ...notes('grind', 2, 3, 30)],
  accepted: [accepted('clean', 1), accepted('grind', 3)],
}

function inserted(history: History, at: number, ...events: readonly Event[]): History {
  return { ...history, events: history.events.toSpliced(at, 0, ...events) }
}

/** What there is of each kind. */
function counts(history: History): Readonly<Record<keyof Findings, number>> {
  const { lost, duplicated, overlapping, stale } = checkHistory(history)
  return { lost: lost.length, duplicated: duplicated.length, overlapping: overlapping.length, stale: stale.length }
}

const NONE = { lost: 0, duplicated: 0, overlapping: 0, stale: 0 }

describe('the checker of histories', () => {
  test('finds nothing in a sound one, nor in one in which nothing happened', () => {
    assert.deepEqual(checkHistory(SOUND), NO_FINDINGS)
    assert.deepEqual(checkHistory({ acknowledged: [], events: [], notes: [], accepted: [] }), NO_FINDINGS)
  })

  test('finds nothing in what was done again because somebody wanted it', () => {
    const again = [
      event('job:queued', 2, { cause: 'retry' }),
      event('job:started', 3),
      event('phase:completed', 3, { phase: 'clean' }),
      event('phase:completed', 3, { phase: 'grind' }),
      event('job:completed', 3),
    ]
    const history = { ...SOUND, accepted: [], events: [...SOUND.events, ...again] }
    assert.deepEqual(counts(history), NONE)
    assert.deepEqual(counts({ ...history, events: history.events.slice(0, -1) }), { ...NONE, lost: 1 })
  })

  const rows: readonly (readonly [string, History, Partial<typeof NONE>])[] = [
    ['a job of which nothing is known', { ...SOUND, acknowledged: [ID, 'job-2'] }, { lost: 1 }],
    ['a job that never ended', { ...SOUND, events: SOUND.events.slice(0, -1) }, { lost: 1 }],
    ['an end that came twice', inserted(SOUND, 8, event('job:failed', 2)), { duplicated: 1, stale: 1 }],
    [
      'a phase that was accepted twice',
      inserted(SOUND, 8, event('phase:completed', 2, { phase: 'grind' })),
      { duplicated: 1 },
    ],
    [
      'a phase that ran twice under one claim',
      { ...SOUND, notes: [...SOUND.notes, ...notes('grind', 2, 3, 40)] },
      { duplicated: 1 },
    ],
    [
      'two claims that were at work at once, both with success',
      { ...SOUND, notes: [...notes('clean', 1, 1, 10), ...notes('grind', 2, 3, 12)] },
      { overlapping: 1 },
    ],
    [
      'a result of a claim that had been taken away',
      { ...SOUND, accepted: [accepted('clean', 1), accepted('grind', 1)] },
      { stale: 2 },
    ],
    [
      'a line of a claim that had been taken away',
      inserted(SOUND, 7, event('job:log', 2, { fields: { fence: 1 } })),
      { stale: 1 },
    ],
    [
      'a line that was accepted while nobody held the job',
      inserted(SOUND, 5, event('job:log', 1, { fields: { fence: 1 } })),
      { stale: 1 },
    ],
    [
      'a result of an attempt that no handler knows of',
      { ...SOUND, notes: SOUND.notes.filter(({ attempt }) => attempt === 1) },
      { stale: 3 },
    ],
  ]
  for (const [what, history, expected] of rows) {
    test(`finds ${what}`, () => {
      assert.deepEqual(counts(history), { ...NONE, ...expected })
    })
  }
})
