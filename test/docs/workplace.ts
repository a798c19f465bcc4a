/** Where the blocks of the documentation are run: a folder for each page, in which `millrace` is this project's sources. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { inspect } from 'node:util'

import { compareOutput } from './expected-output.ts'
import type { Page } from './markdown.ts'
import { URL_VARIABLE, needsPageDatabase, openPageDatabase } from './page-database.ts'
import type { PageDatabase } from './page-database.ts'
import { root } from './pages.ts'
import type { Step } from './steps.ts'

/** What a block may take, with the start of Node and of the store's threads. */
const HANG_MS = 30_000
const SOURCES = '--conditions=millrace-source --disable-warning=ExperimentalWarning'
/** What a reader may import beside Node's own modules, and what the compiler needs. */
const PACKAGES = ['zod', 'pg', 'postgres', 'kysely', 'typescript', '@types', 'undici-types']

export interface Workplace {
  readonly folder: string
  readonly bin: string
}

/** A package of its own in the system's temporary folder. */
export function openWorkplace(): Workplace & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-docs-'))
  const bin = join(folder, 'bin')
  mkdirSync(join(folder, 'node_modules'))
  mkdirSync(bin)
  symlinkSync(root, join(folder, 'node_modules', 'millrace'), 'dir')
  for (const name of PACKAGES) {
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name), 'dir')
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
  const esbuild = join(root, 'node_modules', '.bin', 'esbuild')
  writeCommand(bin, 'millrace', `"${process.execPath}" "${join(root, 'src', 'cli', 'bin.ts')}" "$@"`)
  writeCommand(bin, 'esbuild', `"${esbuild}" --conditions=millrace-source --log-level=warning "$@"`)
  writeCommand(bin, 'npx', '"$@"')
  return { folder, bin, [Symbol.dispose]: () => rmSync(folder, { recursive: true, maxRetries: 5 }) }
}

function writeCommand(bin: string, name: string, command: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\nexec ${command}\n`, { mode: 0o755 })
}

/** The folder of a page: `docs/how-to/retry.md` has `docs-how-to-retry`. */
function folderOf({ folder }: Workplace, { path }: Page): string {
  return join(folder, path.replace(/\.md$/, '').replaceAll('/', '-').toLowerCase())
}

/** Compiles every TypeScript block of the pages, as strictly as the project itself. Answers what the compiler said; `''`: nothing. */
export async function compileBlocks(
  workplace: Workplace,
  pages: readonly { readonly page: Page; readonly steps: readonly Step[] }[],
): Promise<string> {
  for (const { page, steps } of pages) for (const step of steps) writeCode(folderOf(workplace, page), step)
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { rewriteRelativeImportExtensions: false, allowImportingTsExtensions: true, declaration: false },
    include: ['*/**/*.ts'],
    exclude: ['node_modules', '*/node_modules'],
  }
  writeFileSync(join(workplace.folder, 'tsconfig.json'), JSON.stringify(config))
  const compiler = join(root, 'node_modules', '.bin', 'tsc')
  const options = { cwd: workplace.folder, env: process.env }
  const { printed, complaint } = await run(compiler, ['-p', '.', '--pretty', 'false'], options)
  return `${printed}${complaint}`.trim()
}

/** The file that holds a step's code; null: it has none. */
function fileOf(step: Step): string | null {
  if (step.kind === 'write') return step.file
  return step.kind === 'module' ? `line-${step.line}.ts` : null
}

function writeCode(folder: string, step: Step): void {
  const file = fileOf(step)
  if (file === null || !('code' in step)) return
  mkdirSync(dirname(join(folder, file)), { recursive: true })
  writeFileSync(join(folder, file), step.code)
}

/** Carries out the steps of one page, in their order. */
export class PageRun {
  readonly #folder: string
  readonly #env: NodeJS.ProcessEnv
  readonly #path: string
  readonly #beside: ChildProcess[] = []
  #database: PageDatabase | null = null
  #lastId = ''
  /** How many steps were carried out. */
  executed = 0

  constructor(workplace: Workplace, page: Page) {
    this.#path = page.path
    this.#folder = folderOf(workplace, page)
    mkdirSync(this.#folder, { recursive: true })
    symlinkSync(join(workplace.folder, 'node_modules'), join(this.#folder, 'node_modules'), 'dir')
    const path = [workplace.bin, dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter)
    const { NODE_TEST_CONTEXT: _, [URL_VARIABLE]: __, ...inherited } = process.env
    this.#env = {
      ...inherited,
      PATH: path,
      NODE_OPTIONS: SOURCES,
      NODE_COMPILE_CACHE: join(workplace.folder, 'cache'),
      NO_COLOR: '1',
    }
  }

  async carryOut(step: Step): Promise<void> {
    if (step.kind === 'shown') return
    this.executed += 1
    if (needsPageDatabase(step)) await this.#openDatabase()
    writeCode(this.#folder, step)
    const where = `${this.#path}:${step.line}`
    if (step.kind === 'module') await this.#runModule(step, where)
    if (step.kind === 'command') await this.#runCommand(step, where)
    if (step.kind === 'sql') await this.#runSql(step, where)
    if (step.kind === 'excerpt') checkExcerpt(step, where)
    if (step.kind === 'json') assert.doesNotThrow(() => JSON.parse(step.code) as unknown, where)
  }

  async #openDatabase(): Promise<PageDatabase> {
    this.#database ??= await openPageDatabase()
    this.#env[URL_VARIABLE] = this.#database.url
    return this.#database
  }

  async #runModule(step: Step & { readonly kind: 'module' }, where: string): Promise<void> {
    await this.#run([process.execPath, fileOf(step) ?? ''], step.output, where)
  }

  async #runCommand({ command, output }: Step & { readonly kind: 'command' }, where: string): Promise<void> {
    const set = /^export (?<name>\w+)=(?<text>\S+)$/.exec(command)?.groups
    if (set !== undefined) {
      this.#env[set['name'] ?? ''] = set['text']
      return
    }
    if (command.includes('<id>')) assert.notEqual(this.#lastId, '', `${where}: no id has been printed before`)
    const line = command.replaceAll('<id>', this.#lastId)
    if (line.endsWith(' &')) await this.#start(line.slice(0, -2), output, where)
    else await this.#run(['sh', '-c', line], output, where)
  }

  async #run([program = '', ...args]: readonly string[], shown: string | null, where: string): Promise<void> {
    const { printed, complaint, status } = await run(program, args, { cwd: this.#folder, env: this.#env })
    this.#lastId = findIds(printed).at(-1) ?? this.#lastId
    assert.equal(status, 0, `${where} ended with ${status}:\n${printed}${complaint}`)
    if (shown === null) return
    const difference = compareOutput(shown, printed)
    assert.equal(difference, null, `${where} printed something else. ${difference}`)
  }

  /** Starts what goes on beside the next steps, and waits until it has printed what is shown. */
  async #start(command: string, shown: string | null, where: string): Promise<void> {
    const child = spawn('sh', ['-c', `exec ${command}`], { cwd: this.#folder, env: this.#env, timeout: HANG_MS })
    this.#beside.push(child)
    const { promise, resolve } = Promise.withResolvers<void>()
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += String(chunk)
      if (shown !== null && compareOutput(shown, output) === null) resolve()
    })
    child.once('close', () => resolve())
    if (shown === null) resolve()
    await promise
    if (shown !== null) assert.equal(compareOutput(shown, output), null, `${where} did not print what is shown`)
  }

  async #runSql({ sql, store, output }: Step & { readonly kind: 'sql' }, where: string): Promise<void> {
    const rows = store === 'postgres' ? await this.#rowsOfServer(sql, where) : this.#rowsOfFile(sql)
    if (output === null) return
    const printed = rows.map((row) => Object.values(row).map(shownValue).join(' | ')).join('\n')
    const difference = compareOutput(output, printed)
    assert.equal(difference, null, `${where} gives something else. ${difference}`)
  }

  async #rowsOfServer(sql: string, where: string): Promise<readonly object[]> {
    const { rows } = await this.#openDatabase()
    return rows(sql).catch((cause: unknown) => assert.fail(`${where} is refused: ${String(cause)}`))
  }

  #rowsOfFile(sql: string): readonly object[] {
    const database = new DatabaseSync(join(this.#folder, 'jobs.db'), { readOnly: true })
    try {
      return database.prepare(sql).all()
    } finally {
      database.close()
    }
  }

  /** Stops what goes on beside, as Ctrl-C would, and drops the page's database. */
  async close(): Promise<void> {
    try {
      await this.#stopBeside()
    } finally {
      await this.#database?.drop()
    }
  }

  async #stopBeside(): Promise<void> {
    for (const child of this.#beside) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const exit = once(child, 'exit')
      child.kill('SIGINT')
      await exit
      assert.equal(child.exitCode ?? child.signalCode, 0, `${this.#path}: ${child.spawnargs.join(' ')}`)
    }
  }
}

function shownValue(value: unknown): string {
  return typeof value === 'string' ? value : inspect(value)
}

const ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g

function findIds(output: string): readonly string[] {
  return output.match(ID) ?? []
}

function checkExcerpt({ file, code }: Step & { readonly kind: 'excerpt' }, where: string): void {
  const source = readFileSync(join(root, file), 'utf8')
  assert.ok(withoutIndent(source).includes(withoutIndent(code)), `${where} is not what stands in ${file}`)
}

function withoutIndent(code: string): string {
  return code.replaceAll(/^\s+/gm, '').trim()
}

interface RunOptions {
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
}

interface Ran {
  /** On standard output: what a page shows. */
  readonly printed: string
  /** On standard error, where the worker logs. */
  readonly complaint: string
  readonly status: number | string
}

async function run(program: string, args: readonly string[], options: RunOptions): Promise<Ran> {
  const child = spawn(program, args, { ...options, timeout: HANG_MS, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  let complaint = ''
  child.stdout.on('data', (chunk) => (printed += String(chunk)))
  child.stderr.on('data', (chunk) => (complaint += String(chunk)))
  await once(child, 'close')
  return { printed, complaint, status: child.exitCode ?? child.signalCode ?? 'unknown' }
}
