import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'

import { scaled } from '../support/scale.ts'
import { PROBES } from './probes.ts'
import { runWorld } from './world.ts'

const SEEDS = 1_000
const ROOT = join(import.meta.dirname, '../..')

interface Simulated {
  readonly worlds: number
  readonly jobs: number
  readonly steps: number
  readonly failed: readonly object[]
  readonly seen: Readonly<Record<string, number>>
}

/** In a process of its own: the test runner follows every promise, which makes them several times slower. */
async function simulate(...args: readonly string[]): Promise<Simulated> {
  const options = ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning']
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env
  const running = promisify(execFile)(process.execPath, [...options, 'tools/simulate.ts', '--json', ...args], {
    cwd: ROOT,
    env,
  })
  // Something that does not hold is told by the exit code, and by what was printed before.
  const { stdout } = await running.catch((error: unknown) => error as { readonly stdout: string })
  return JSON.parse(stdout) as Simulated
}

describe('whatever goes wrong between processes, people and the store', () => {
  test('everything holds that must hold, and every rare branch has been taken', async (context) => {
    const { worlds, jobs, steps, failed, seen } = await simulate('--seeds', `${scaled(SEEDS)}`)
    assert.deepEqual(failed, [], 'npm run simulate -- --seed <seed> replays one of them line by line')
    const count = (probe: string): number => seen[probe] ?? 0
    const rarest = PROBES.toSorted((one, other) => count(one) - count(other))
    context.diagnostic(`${worlds} worlds, ${jobs} jobs, ${steps} steps`)
    context.diagnostic(
      `rarest: ${rarest
        .slice(0, 3)
        .map((probe) => `${probe} (${count(probe)})`)
        .join(', ')}`,
    )
    assert.deepEqual(
      PROBES.filter((probe) => count(probe) === 0),
      [],
    )
  })

  test('a seed does the same again, to the last line', async () => {
    for (const seed of [3, 17, 42]) {
      const [first, second] = [await trace(seed), await trace(seed)]
      assert(first.length > 100)
      assert.deepEqual(first, second)
    }
  })

  test('another seed does something else', async () => {
    assert.notDeepEqual(await trace(1), await trace(2))
  })
})

async function trace(seed: number): Promise<readonly string[]> {
  const lines: string[] = []
  const report = await runWorld({ seed, onLine: (line) => lines.push(line) })
  return [...lines, `${report.steps} steps, ${report.jobs} jobs, ${report.lastedMs} ms`]
}
