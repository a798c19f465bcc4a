import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { readSuites } from '../../tools/suites.ts'
import { writeTree } from '../support/temporary-tree.ts'

const project = join(import.meta.dirname, '../..')
const rules = `export function size(x: number): string {\n  if (x > 1) return 'big'\n  return 'small'\n}\n`
const prelude = `import { test } from 'node:test'\nimport { size } from '../../src/core/size.ts'\n`
const halfTested = `${prelude}test('small', () => void size(0))\n`
const wholeTested = `${halfTested}test('big', () => void size(2))\n`

const CORE = '| `test/core` | rules | together | – | 30 |\n'
const WORKER = '| `test/worker` | claims | alone | – | 30 |\n'
const WORKER_ON_POSTGRES = '| `test/worker` | claims | alone | instead | 30 |\n'

interface Run {
  readonly status: number | null
  readonly lines: readonly string[]
}

/** Where it is said that there is a server, none is started. */
const SERVER = 'postgres://nobody@nowhere/jobs'
const {
  NODE_TEST_CONTEXT: _context,
  MILLRACE_TEST_POSTGRES: _server,
  MILLRACE_TEST_STORE: _store,
  ...OWN
} = process.env

/** Runs the test runner in a project of these files, with the suites `core` and `worker` unless it has a table of its own. */
function runTests(context: TestContext, files: Readonly<Record<string, string>>, ...args: readonly string[]): Run {
  const support = ['test/support/scale.ts', 'test/support/postgres-server.ts']
  const tools = [...globSync('tools/*.ts', { cwd: project }), ...support]
  const root = writeTree(context, {
    ...Object.fromEntries(tools.map((file) => [file, readFileSync(join(project, file), 'utf8')])),
    'CONTRIBUTING.md': CORE + WORKER,
    'package.json': '{ "type": "module" }',
    'src/core/size.ts': rules,
    ...files,
  })
  // Node refuses a test run inside a test run, unless the inner one does not know.
  const env = { ...OWN, DATABASE_URL: SERVER }
  const command = ['--disable-warning=ExperimentalWarning', 'tools/test.ts', ...args]
  const { status, stdout } = spawnSync(process.execPath, command, { cwd: root, env, encoding: 'utf8' })
  return { status, lines: stdout.trimEnd().split('\n') }
}

test('CONTRIBUTING.md names what the budgets of npm test come to', () => {
  const text = readFileSync(join(project, 'CONTRIBUTING.md'), 'utf8')
  const told = /budgets of all that `npm test` runs come to (?<seconds>\d+)\./.exec(text.replaceAll('\n', ' '))
  const run = readSuites(project).filter(({ mode }) => mode !== 'packed')
  const seconds = run.reduce((sum, { budgetSeconds }) => sum + budgetSeconds, 0)
  assert.equal(Number(told?.groups?.['seconds']), seconds)
})

describe('the test runner', () => {
  test('ends with one line that sums up all suites', (context) => {
    const worker = `import { test } from 'node:test'\ntest('x', () => {})\ntest('y', { skip: true }, () => {})\n`
    const { status, lines } = runTests(context, {
      'test/core/size.test.ts': wholeTested,
      'test/worker/claim.test.ts': worker,
    })
    // The coverage gate counts as one more.
    assert.equal(lines.at(-1), '4 passed, 0 failed, 1 skipped')
    assert.equal(status, 0)
  })

  test('fails and names the test when one fails', (context) => {
    const failing = `import { test } from 'node:test'\ntest('the claim holds', () => { throw new Error('lost') })\n`
    const { status, lines } = runTests(context, { 'test/worker/claim.test.ts': failing }, 'worker')
    assert.equal(lines.at(-1), '0 passed, 1 failed, 0 skipped')
    assert.ok(lines.some((line) => line.includes('the claim holds (test/worker/claim.test.ts:2)')))
    assert.ok(lines.some((line) => line.includes('Error: lost')))
    assert.equal(status, 1)
  })

  test('fails when a file does not even load', (context) => {
    const { status, lines } = runTests(context, { 'test/worker/claim.test.ts': `throw new Error('no')` }, 'worker')
    assert.equal(lines.at(-1), '0 passed, 1 failed, 0 skipped')
    assert.equal(status, 1)
  })

  test('fails when a file holds no test', (context) => {
    const { status, lines } = runTests(context, { 'test/worker/claim.test.ts': `export {}` }, 'worker')
    assert.equal(lines.at(-1), '0 passed, 1 failed, 0 skipped')
    assert.ok(lines.includes('✖ test/worker/claim.test.ts holds no test'))
    assert.equal(status, 1)
  })

  test('fails when no test ran', (context) => {
    const args = ['worker', '--name', 'nothing is called this']
    const { status, lines } = runTests(context, { 'test/worker/claim.test.ts': halfTested }, ...args)
    assert.equal(lines.at(-1), '0 passed, 0 failed, 0 skipped')
    assert.equal(status, 1)
  })

  test('refuses a folder of tests that is no suite', (context) => {
    const { status, lines } = runTests(context, { 'test/extra/a.test.ts': halfTested })
    assert.deepEqual(lines, [''])
    assert.equal(status, 1)
  })
})

describe('a suite on PostgreSQL', () => {
  /** Passes where it sees what it is to see. */
  const seeing = (server: string | undefined, store: string | undefined): string =>
    `import { equal } from 'node:assert/strict'\nimport { test } from 'node:test'\n` +
    `test('sees', () => {\n` +
    `  equal(process.env.MILLRACE_TEST_POSTGRES, ${JSON.stringify(server)})\n` +
    `  equal(process.env.MILLRACE_TEST_STORE, ${JSON.stringify(store)})\n})\n`

  test('is handed the server, and no other suite is', (context) => {
    const { status, lines } = runTests(context, {
      'CONTRIBUTING.md': `${WORKER}| \`test/store\` | both stores | together | beside | 30 |\n`,
      'test/store/a.test.ts': seeing(SERVER, undefined),
      'test/worker/a.test.ts': seeing(undefined, undefined),
    })
    assert.equal(lines.at(-1), '2 passed, 0 failed, 0 skipped', lines.join('\n'))
    assert.equal(status, 0)
  })

  test('in place of SQLite runs the same files once more, under a name of its own', (context) => {
    const file = `import { test } from 'node:test'\ntest(\`on \${process.env.MILLRACE_TEST_STORE}\`, () => {})\n`
    const files = { 'CONTRIBUTING.md': WORKER + WORKER_ON_POSTGRES, 'test/worker/a.test.ts': file }
    const both = runTests(context, files, '--verbose')
    assert.ok(both.lines.some((line) => line.startsWith('✔ on undefined')))
    assert.ok(both.lines.some((line) => line.startsWith('✔ on postgres')))
    assert.equal(both.lines.at(-1), '2 passed, 0 failed, 0 skipped')
    const one = runTests(context, files, 'worker-postgres')
    assert.ok(one.lines.some((line) => line.startsWith('worker-postgres ')))
    assert.equal(one.lines.at(-1), '1 passed, 0 failed, 0 skipped')
    assert.equal(runTests(context, files, 'test/worker/a.test.ts').lines.at(-1), '2 passed, 0 failed, 0 skipped')
  })

  test('needs a row that says so, and one that says it once', (context) => {
    const files = { 'test/worker/a.test.ts': halfTested }
    for (const table of [
      '| `test/worker` | claims | alone | 30 |\n',
      '| `test/worker` | claims | alone | yes | 30 |\n',
    ]) {
      const { status, lines } = runTests(context, { ...files, 'CONTRIBUTING.md': table })
      assert.deepEqual([status, lines], [1, ['']], table)
    }
    const twice = runTests(context, { ...files, 'CONTRIBUTING.md': WORKER_ON_POSTGRES.repeat(2) })
    assert.deepEqual([twice.status, twice.lines], [1, ['']])
  })
})

describe('the coverage gate', () => {
  const gaps: readonly { title: string; files: Readonly<Record<string, string>>; says: string }[] = [
    {
      title: 'a branch that no test takes',
      files: { 'test/core/size.test.ts': halfTested },
      says: 'src/core/size.ts:2: no test takes this branch',
    },
    {
      title: 'a function that no test calls',
      files: {
        'test/core/size.test.ts': wholeTested,
        'src/core/size.ts': `${rules}export function unused(): void {}\n`,
      },
      says: 'src/core/size.ts:5: no test calls unused',
    },
    {
      title: 'a file that no test loads',
      files: { 'test/core/size.test.ts': wholeTested, 'src/core/other.ts': 'export const other = 1\n' },
      says: 'src/core/other.ts:1: no test loads this file',
    },
  ]
  for (const { title, files, says } of gaps) {
    test(`fails on ${title}`, (context) => {
      const { status, lines } = runTests(context, files, 'core')
      assert.ok(lines.map((line) => line.trim()).includes(says), lines.join('\n'))
      assert.match(lines.at(-1) ?? '', / 1 failed, /)
      assert.equal(status, 1)
    })
  }

  test('asks nothing of a file that holds types alone', (context) => {
    const types = '/** A size. */\nexport interface Size {\n  readonly width: number // in mm\n}\n'
    const files = { 'test/core/size.test.ts': wholeTested, 'src/core/sheet.ts': types }
    assert.equal(runTests(context, files, 'core').status, 0)
  })
})
