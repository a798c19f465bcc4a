import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { alignPhases, ONLY_PHASE, phaseState, retryPhase } from '../../src/core/phases.ts'
import type { PhaseAlignment, PhaseState } from '../../src/core/phases.ts'
import type { JobState } from '../../src/core/states.ts'

const statesInTheMiddle: readonly (readonly [JobState, readonly PhaseState[]])[] = [
  ['scheduled', ['done', 'pending', 'pending']],
  ['queued', ['done', 'pending', 'pending']],
  ['running', ['done', 'running', 'pending']],
  ['retrying', ['done', 'pending', 'pending']],
  ['failed', ['done', 'failed', 'pending']],
  ['cancelled', ['done', 'cancelled', 'cancelled']],
]

describe('the states of phases', () => {
  for (const [jobState, states] of statesInTheMiddle) {
    test(`with one of three phases done, a ${jobState} job's are ${states.join(', ')}`, () => {
      assert.deepEqual(
        [0, 1, 2].map((index) => phaseState({ jobState, phase: 1, index })),
        states,
      )
    })
  }

  test('the phases of a completed job are all done', () => {
    const states = [0, 1].map((index) => phaseState({ jobState: 'completed', phase: 2, index }))
    assert.deepEqual(states, ['done', 'done'])
  })

  test('a job of one phase calls it run', () => {
    assert.equal(ONLY_PHASE, 'run')
  })
})

interface Alignment {
  readonly title: string
  readonly job: readonly string[]
  readonly done: number
  readonly handler: readonly string[]
  readonly becomes: PhaseAlignment
}

const alignments: readonly Alignment[] = [
  {
    title: 'the same list stays',
    job: ['load', 'draw'],
    done: 1,
    handler: ['load', 'draw'],
    becomes: { outcome: 'same' },
  },
  {
    title: 'a new last phase is added',
    job: ['load', 'draw'],
    done: 1,
    handler: ['load', 'draw', 'store'],
    becomes: { outcome: 'adopt', names: ['load', 'draw', 'store'], phase: 1 },
  },
  {
    title: 'a new phase after the last done one is put in',
    job: ['load', 'draw'],
    done: 1,
    handler: ['load', 'project', 'draw'],
    becomes: { outcome: 'adopt', names: ['load', 'project', 'draw'], phase: 1 },
  },
  {
    title: 'a done phase that the handler does not know is kept and passed over',
    job: ['fetch', 'draw'],
    done: 1,
    handler: ['load', 'draw'],
    becomes: { outcome: 'adopt', names: ['fetch', 'load', 'draw'], phase: 1 },
  },
  {
    title: 'phases that are not done follow the order of the handler',
    job: ['load', 'draw', 'store'],
    done: 1,
    handler: ['load', 'store', 'draw'],
    becomes: { outcome: 'adopt', names: ['load', 'store', 'draw'], phase: 1 },
  },
  {
    title: 'a phase that is not done and not known any more is dropped',
    job: ['load', 'draw', 'store'],
    done: 1,
    handler: ['load', 'store'],
    becomes: { outcome: 'adopt', names: ['load', 'store'], phase: 1 },
  },
  {
    title: 'a job whose every phase is done goes on with none where the handler has no more',
    job: ['load', 'draw'],
    done: 2,
    handler: ['draw'],
    becomes: { outcome: 'same' },
  },
  {
    title: 'a list that nothing was done of is replaced',
    job: ['load'],
    done: 0,
    handler: ['fetch', 'draw'],
    becomes: { outcome: 'adopt', names: ['fetch', 'draw'], phase: 0 },
  },
  {
    title: 'a new phase before a done one is refused',
    job: ['load', 'draw'],
    done: 1,
    handler: ['check', 'load', 'draw'],
    becomes: { outcome: 'changed', phase: 'check' },
  },
  {
    title: 'an old phase that was not done and now stands before a done one is refused',
    job: ['load', 'draw', 'store'],
    done: 2,
    handler: ['load', 'store', 'draw'],
    becomes: { outcome: 'changed', phase: 'store' },
  },
]

describe('phases of a job whose handler declares others', () => {
  for (const { title, job, done, handler, becomes } of alignments) {
    test(title, () => assert.deepEqual(alignPhases(job, done, handler), becomes))
  }
})

const names = ['load', 'project', 'draw']
const state = 'failed'

describe('where a retry begins', () => {
  test('at the first phase that is not done', () => {
    assert.equal(retryPhase({ names, state, phase: 1, fromStart: false, from: null }), 1)
  })

  test('at the start of a completed job', () => {
    assert.equal(retryPhase({ names, state: 'completed', phase: 3, fromStart: false, from: null }), 0)
  })

  test('at the completion where only that is missing', () => {
    assert.equal(retryPhase({ names, state, phase: 3, fromStart: false, from: null }), 3)
  })

  test('at the start where that is asked for', () => {
    assert.equal(retryPhase({ names, state, phase: 2, fromStart: true, from: null }), 0)
    assert.equal(retryPhase({ names, state, phase: 2, fromStart: true, from: 'project' }), 0)
  })

  test('at a named phase that is done, or the next one', () => {
    assert.equal(retryPhase({ names, state, phase: 1, fromStart: false, from: 'load' }), 0)
    assert.equal(retryPhase({ names, state, phase: 1, fromStart: false, from: 'project' }), 1)
    assert.equal(retryPhase({ names, state, phase: 3, fromStart: false, from: 'draw' }), 2)
  })

  test('nowhere at a phase that has not been reached', () => {
    assert.equal(retryPhase({ names, state, phase: 1, fromStart: false, from: 'draw' }), null)
  })

  test('nowhere at a phase that the job does not have', () => {
    assert.equal(retryPhase({ names, state, phase: 3, fromStart: false, from: 'store' }), null)
  })
})
