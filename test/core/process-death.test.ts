import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hasEnded } from '../../src/core/process-death.ts'
import type { ProcessSight } from '../../src/core/process-death.ts'

const STARTED = 500

function sight(state: string, threads = 7, startTick = STARTED): ProcessSight {
  return { state, threads, startTick }
}

describe('a process that began at tick 500', () => {
  const rows: readonly (readonly [string, ProcessSight, boolean])[] = [
    ['has ended where there is nobody under its pid', 'nobody', true],
    ['is left alone where somebody is there of whom nothing can be read', 'unreadable', false],
    ['lives while it runs', sight('R'), false],
    ['lives while it waits', sight('S'), false],
    ['lives while it waits for a disk', sight('D'), false],
    ['lives while it is stopped: it may go on', sight('T'), false],
    ['lives while a debugger holds it', sight('t'), false],
    ['has ended where its parent has not asked for it yet', sight('Z', 1), true],
    ['has ended where nobody will ask for it', sight('X', 0), true],
    ['lives while threads of it are still ending', sight('Z', 2), false],
    ['has ended where a later process has its pid', sight('R', 7, STARTED + 1), true],
    ['has ended where an earlier process has its pid, by a counter that began again', sight('S', 7, 3), true],
  ]
  for (const [what, seen, expected] of rows) {
    test(what, () => {
      assert.equal(hasEnded(STARTED, seen), expected)
    })
  }
})
