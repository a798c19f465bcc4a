import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { FINAL_STATES, isFinal, JOB_STATES, mayMove, TRANSITIONS } from '../../src/core/states.ts'
import type { JobCommand, JobState } from '../../src/core/states.ts'

const commands = Object.keys(TRANSITIONS) as JobCommand[]

function commandsFor(from: JobState, to: JobState): readonly JobCommand[] {
  return commands.filter((command) => mayMove(command, from, to))
}

describe('the states of a job', () => {
  test('completed, failed and cancelled are final, and no others are', () => {
    assert.deepEqual(JOB_STATES.filter(isFinal), ['completed', 'failed', 'cancelled'])
    assert.deepEqual([...FINAL_STATES], ['completed', 'failed', 'cancelled'])
  })

  test('a final job goes on by a retry alone, or by a reset unless it completed', () => {
    const ways = FINAL_STATES.map((from) => JOB_STATES.flatMap((to) => commandsFor(from, to)))
    assert.deepEqual(ways, [['retry'], ['force-reset', 'retry'], ['force-reset', 'retry']])
  })

  test('a job starts to run by a claim alone, and from the queue alone', () => {
    const starts = JOB_STATES.filter((from) => from !== 'running').flatMap((from) =>
      commandsFor(from, 'running')
        .filter((command) => command !== 'cancel')
        .map((command) => `${from} ${command}`),
    )
    assert.deepEqual(starts, ['queued claim'])
  })

  test('a job completes from running alone', () => {
    assert.deepEqual(
      JOB_STATES.filter((from) => commandsFor(from, 'completed').length > 0),
      ['running'],
    )
  })

  test('whatever ends an attempt without completing it can end it as cancelled', () => {
    const ending = commands.filter((command) =>
      TRANSITIONS[command].to.some((to) => to === 'retrying' || to === 'failed'),
    )
    const blind = ending.filter((command) => !TRANSITIONS[command].to.includes('cancelled'))
    assert.deepEqual(blind, ['force-fail'])
    assert.ok(mayMove('release', 'running', 'cancelled'))
  })

  test('every state can be reached from a new job, and a final one from every state without a person', () => {
    const byThemselves: readonly JobCommand[] = ['promote', 'claim', 'complete', 'fail', 'reap', 'time-out']
    assert.deepEqual(new Set(reachable(TRANSITIONS.enqueue.to, commands)), new Set(JOB_STATES))
    const stuck = JOB_STATES.filter((state) => !reachable([state], byThemselves).some(isFinal))
    assert.deepEqual(stuck, [])
  })

  test('enqueue finds no job and purge leaves none', () => {
    assert.deepEqual(TRANSITIONS.enqueue.from, [])
    assert.deepEqual(TRANSITIONS.purge.to, [])
    assert.equal(mayMove('enqueue', 'queued', 'queued'), false)
    assert.equal(mayMove('purge', 'completed', 'completed'), false)
  })

  test('only final jobs are purged', () => {
    assert.deepEqual(TRANSITIONS.purge.from, FINAL_STATES)
  })
})

function reachable(from: readonly JobState[], by: readonly JobCommand[]): readonly JobState[] {
  const reached = new Set(from)
  for (const state of reached) {
    for (const command of by) {
      for (const to of TRANSITIONS[command].from.includes(state) ? TRANSITIONS[command].to : []) reached.add(to)
    }
  }
  return [...reached]
}
