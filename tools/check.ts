/**
 * Runs every check that needs no test run, two at a time, and prints one line a step.
 *
 *     npm run check             all steps
 *     npm run check -- lint     one or more steps by name
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Step {
  readonly name: string
  /** Commands that follow one another; the step stops at the first that fails. */
  readonly commands: readonly (readonly string[])[]
  /** A step that must have ended before. */
  readonly after?: string
}

interface Outcome {
  readonly passed: boolean
  readonly output: string
}

const parallel = 2
const root = join(import.meta.dirname, '..')
const packed = mkdtempSync(join(tmpdir(), 'millrace-packed-'))
/** Stands for the tarball in a command: its name is known once it is packed. */
const tarball = '{tarball}'
const code = ['src', 'test', 'tools', 'examples', 'benchmarks']

const steps: readonly Step[] = [
  {
    name: 'package',
    commands: [
      ['npm', 'run', '--silent', 'build'],
      ['npm', 'pack', '--silent', '--pack-destination', packed],
      ['publint', 'run', '--strict', tarball],
      ['attw', '--no-emoji', '--profile', 'node16', '--ignore-rules', 'cjs-resolves-to-esm', '--', tarball],
    ],
  },
  // The packing makes `dist/` anew, and the linter looks into it.
  { name: 'lint', commands: [['oxlint', ...code]], after: 'package' },
  { name: 'types', commands: [['tsc', '-p', 'tsconfig.json']] },
  { name: 'rooms', commands: [['node', 'tools/check-rooms.ts']] },
  { name: 'format', commands: [['oxfmt', '--check']] },
  { name: 'dead code', commands: [['knip', '--treat-config-hints-as-errors']] },
  {
    name: 'duplicates',
    commands: [
      ['jscpd', '--min-lines', '12', '--min-tokens', '80', 'src'],
      ['jscpd', '--min-lines', '25', '--min-tokens', '200', 'test', 'tools', 'examples', 'benchmarks'],
    ],
  },
]

async function check(names: readonly string[]): Promise<void> {
  const unknown = names.filter((name) => !steps.some((step) => step.name === name))
  if (unknown.length > 0)
    throw new Error(`no step "${unknown[0]}": there are ${steps.map(({ name }) => name).join(', ')}`)
  const waiting = steps.filter(({ name }) => names.length === 0 || names.includes(name))
  const unfinished = new Set(waiting.map(({ name }) => name))
  await Promise.all(Array.from({ length: parallel }, () => takeSteps(waiting, unfinished)))
}

async function takeSteps(waiting: Step[], unfinished: Set<string>): Promise<void> {
  for (let step = takeReady(waiting, unfinished); step !== undefined; step = takeReady(waiting, unfinished)) {
    const startedAt = performance.now()
    const { passed, output } = await runStep(step)
    unfinished.delete(step.name)
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    console.log(`${passed ? 'ok  ' : 'FAIL'}  ${step.name.padEnd(12)}${seconds.padStart(6)} s`)
    if (passed) continue
    process.exitCode = 1
    console.log(output.trimEnd().replaceAll(/^/gm, '      '))
  }
}

/** Undefined: there is none, or it is for whoever runs what it must follow. */
function takeReady(waiting: Step[], unfinished: ReadonlySet<string>): Step | undefined {
  const at = waiting.findIndex(({ after }) => after === undefined || !unfinished.has(after))
  return at === -1 ? undefined : waiting.splice(at, 1)[0]
}

async function runStep({ commands }: Step): Promise<Outcome> {
  for (const command of commands) {
    const outcome = await runCommand(command.map((word) => (word === tarball ? findTarball() : word)))
    if (!outcome.passed) return outcome
  }
  return { passed: true, output: '' }
}

function findTarball(): string {
  return join(packed, readdirSync(packed).find((file) => file.endsWith('.tgz')) ?? 'missing.tgz')
}

async function runCommand([program = '', ...args]: readonly string[]): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>()
  const child = spawn(program, args, { cwd: root, shell: process.platform === 'win32' })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
  child.on('error', (error) => resolve({ passed: false, output: `${program}: ${error.message}` }))
  child.on('close', (status) =>
    resolve({ passed: status === 0, output: `$ ${[program, ...args].join(' ')}\n${output}` }),
  )
  return promise
}

try {
  await check(process.argv.slice(2))
} finally {
  rmSync(packed, { recursive: true })
}
