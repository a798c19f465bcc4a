/** The command as a shell runs it: a process of its own. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'

const BIN: string = join(import.meta.dirname, '../../src/cli/bin.ts')
const FLAGS = ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning']

export interface CliOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** What it reads from standard input. */
  readonly input?: string
  /** Flags of Node. */
  readonly flags?: readonly string[]
}

export interface CliRun {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command to its end. */
export async function runCli(args: readonly string[], options: CliOptions): Promise<CliRun> {
  return startCli(args, options).ended
}

export interface RunningCli {
  readonly child: ChildProcess
  readonly ended: Promise<CliRun>
  /** Resolves once the output, standard output and error together, matches. Rejects if it ends before. */
  readonly said: (pattern: RegExp) => Promise<void>
}

export function startCli(args: readonly string[], { cwd, env = {}, input = '', flags = [] }: CliOptions): RunningCli {
  const child = spawn(process.execPath, [...FLAGS, ...flags, BIN, ...args], { cwd, env: environment(env) })
  let output = ''
  let stdout = ''
  let stderr = ''
  const waiting: { readonly pattern: RegExp; readonly resolve: () => void; readonly reject: (error: Error) => void }[] =
    []
  const look = (): void => {
    for (const { pattern, resolve } of waiting) if (pattern.test(output)) resolve()
  }
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    output += chunk.toString()
    look()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
    output += chunk.toString()
    look()
  })
  const ended = Promise.withResolvers<CliRun>()
  child.on('error', ended.reject)
  child.on('close', (code) => {
    for (const { pattern, reject } of waiting) reject(new Error(`it ended without ${String(pattern)}:\n${output}`))
    ended.resolve({ code, stdout, stderr })
  })
  child.stdin.end(input)
  const said = (pattern: RegExp): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    waiting.push({ pattern, resolve, reject })
    look()
    return promise
  }
  return { child, ended: ended.promise, said }
}

/** Nothing of the surroundings that a command listens to. */
function environment(env: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { MILLRACE_URL: _url, MILLRACE_SCHEMA: _schema, NODE_OPTIONS: _options, ...surroundings } = process.env
  const { FORCE_COLOR: _force, NO_COLOR: _no, ...rest } = surroundings
  return { ...rest, ...env }
}
