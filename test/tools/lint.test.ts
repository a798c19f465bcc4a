import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { writeTree } from '../support/temporary-tree.ts'

const project = join(import.meta.dirname, '../..')

interface Report {
  readonly diagnostics: readonly { readonly code: string }[]
}

/** Lints a project of these files, with the configuration of this project, and returns the rules they break. */
function brokenRules(context: TestContext, files: Readonly<Record<string, string>>): string[] {
  const root = writeTree(context, {
    '.oxlintrc.json': readFileSync(join(project, '.oxlintrc.json'), 'utf8'),
    'tsconfig.json': readFileSync(join(project, 'tsconfig.json'), 'utf8'),
    'package.json': '{ "type": "module" }',
    ...files,
  })
  symlinkSync(join(project, 'node_modules'), join(root, 'node_modules'), 'junction')
  const folders = new Set(Object.keys(files).map((file) => file.split('/')[0] ?? ''))
  const bin = join(project, 'node_modules/oxlint/bin/oxlint')
  const { stdout } = spawnSync(process.execPath, [bin, '--format=json', ...folders], { cwd: root, encoding: 'utf8' })
  const { diagnostics } = JSON.parse(stdout) as Report
  return diagnostics.map(({ code }) => code)
}

interface Breach {
  readonly title: string
  readonly file: string
  readonly source: string
  readonly rule: string
}

const breaches: readonly Breach[] = [
  breach('a date in a service', 'src/worker/a.ts', 'export const at: number = Date.now()', 'no-restricted-globals'),
  breach('a date in core', 'src/core/a.ts', 'export const at: number = new Date().getTime()', 'no-restricted-globals'),
  breach('the process in core', 'src/core/a.ts', 'export const pid: number = process.pid', 'no-restricted-globals'),
  breach('a timer in a service', 'src/client/a.ts', 'setTimeout(() => undefined, 5)', 'no-restricted-globals'),
  breach(
    'chance in a service',
    'src/events/a.ts',
    'export const x: number = Math.random()',
    'no-restricted-properties',
  ),
  breach(
    'a signal in a service',
    'src/worker/a.ts',
    `process.on('SIGTERM', () => undefined)`,
    'no-restricted-properties',
  ),
  breach(
    'a random id in an adapter',
    'src/sqlite/a.ts',
    `import { randomUUID } from 'node:crypto'\nexport const id: string = randomUUID()`,
    'no-restricted-imports',
  ),
  breach(
    'a promise that nobody awaits',
    'src/worker/a.ts',
    'async function f(): Promise<number> { return 1 }\nexport function g(): void { f() }',
    'no-floating-promises',
  ),
  breach(
    'a promise where a callback returns nothing',
    'src/worker/a.ts',
    'export function g(f: () => Promise<void>, list: readonly number[]): void { list.forEach(f) }',
    'no-misused-promises',
  ),
  breach(
    'a switch that forgets a case',
    'src/core/a.ts',
    `export function f(x: 'a' | 'b'): void { switch (x) { case 'a': return } }`,
    'switch-exhaustiveness-check',
  ),
  breach('any', 'src/core/a.ts', 'export const f = (x: any): unknown => x', 'no-explicit-any'),
  breach('a default export', 'src/core/a.ts', 'export default 1', 'no-default-export'),
  breach('a print in a service', 'src/worker/a.ts', `console.log('x')`, 'no-console'),
  breach('a note left for later', 'src/core/a.ts', '// TODO: finish\nexport const a = 1', 'no-warning-comments'),
  breach(
    'a conditional in a conditional',
    'src/core/a.ts',
    'export const f = (x: number): number => (x > 1 ? 2 : x > 0 ? 1 : 0)',
    'no-nested-ternary',
  ),
  breach(
    'an else after a return',
    'src/core/a.ts',
    'export function f(x: number): number { if (x > 1) { return 2 } else { return 1 } }',
    'no-else-return',
  ),
  breach('a file of 401 lines', 'src/core/a.ts', 'export const a = 1\n'.padEnd(420, '\n'), 'max-lines'),
  breach(
    'a function of 61 lines',
    'src/core/a.ts',
    `export function f(): void {${'\n'.repeat(60)}}`,
    'max-lines-per-function',
  ),
  breach(
    'a block four levels deep',
    'src/core/a.ts',
    'export function f(x: number): number { if (x) { if (x > 1) { if (x > 2) { if (x > 3) { return 1 } } } } return 0 }',
    'max-depth',
  ),
  breach('a sleep in a test', 'test/core/a.test.ts', 'setTimeout(() => undefined, 5)', 'no-restricted-globals'),
  breach('a name in camel case', 'src/core/jobRow.ts', 'export const a = 1', 'filename-case'),
]

function breach(title: string, file: string, source: string, rule: string): Breach {
  return { title, file, source, rule }
}

describe('lint refuses', () => {
  for (const { title, file, source, rule } of breaches) {
    test(title, (context) => {
      const broken = brokenRules(context, { [file]: source })
      assert.ok(
        broken.some((code) => code.includes(`(${rule})`)),
        `expected ${rule}, got ${broken.join(', ') || 'nothing'}`,
      )
    })
  }

  test('a file that imports itself through another', (context) => {
    const broken = brokenRules(context, {
      'src/core/a.ts': `import { b } from './b.ts'\nexport const a: number = b`,
      'src/core/b.ts': `import { a } from './a.ts'\nexport const b: number = a`,
    })
    assert.deepEqual(new Set(broken), new Set(['import(no-cycle)']))
  })
})

describe('lint accepts', () => {
  test('timers, dates and chance in the runtime', (context) => {
    const source = `export const now = (): number => Date.now() + Math.random()\nsetTimeout(now, 5)`
    assert.deepEqual(brokenRules(context, { 'src/runtime/clock.ts': source }), [])
  })

  test('signals and output in the command line', (context) => {
    const source = `process.on('SIGTERM', () => console.log('stopping'))`
    assert.deepEqual(brokenRules(context, { 'src/cli/bin.ts': source }), [])
  })

  test('a test at the top of a file, which returns a promise that the runner awaits', (context) => {
    const source = `import { test } from 'node:test'\ntest('x', async () => undefined)`
    assert.deepEqual(brokenRules(context, { 'test/core/a.test.ts': source }), [])
  })
})
