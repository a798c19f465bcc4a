import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { TestContext } from 'node:test'

import type { Results } from '../../benchmarks/queues/results.ts'

const PROGRAM = join(import.meta.dirname, '../../benchmarks/queues/run.ts')
const NODE_OPTIONS = ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning']

export interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command, with these variables beside those of this process. */
export function runBench(args: readonly string[], env: Readonly<Record<string, string>> = {}): Outcome {
  return spawnSync(process.execPath, [...NODE_OPTIONS, PROGRAM, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
}

/** Starts the command; its progress can be read. */
export function startBench(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): ChildProcessByStdio<null, null, Readable> {
  return spawn(process.execPath, [...NODE_OPTIONS, PROGRAM, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  })
}

/** An empty folder that is gone after the test. A server that does not run as root is let through. */
export function emptyFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-test-'))
  chmodSync(folder, 0o711)
  context.after(() => rmSync(folder, { recursive: true }))
  return folder
}

/** Runs it at counts that measure nothing, and reads what it has written as JSON. */
export function runTiny(
  context: TestContext,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Outcome & { readonly results: Results } {
  const file = join(emptyFolder(context), 'results.json')
  const outcome = runBench(['--tiny', '--json', file, ...args], env)
  if (outcome.status !== 0) throw new Error(outcome.stderr)
  return { ...outcome, results: JSON.parse(readFileSync(file, 'utf8')) as Results }
}
