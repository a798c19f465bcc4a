import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'

import { checkRooms, cyclesIn } from '../../tools/check-rooms.ts'
import { rooms } from '../../tools/rooms.ts'
import { writeTree } from '../support/temporary-tree.ts'

const project = join(import.meta.dirname, '../..')

/** What the check says of these files, as `file:line: message`. */
function complaintsOf(context: TestContext, files: Readonly<Record<string, string>>): string[] {
  return checkRooms(writeTree(context, files)).map(({ file, line, message }) => `${file}:${line}: ${message}`)
}

interface Refusal {
  readonly title: string
  readonly file: string
  readonly source: string
  readonly says: RegExp
}

const refusals: readonly Refusal[] = [
  {
    title: 'core that imports another room',
    file: 'src/core/plan.ts',
    source: `import { clock } from '../runtime/clock.ts'`,
    says: /^src\/core\/plan\.ts:1: core may not import runtime \(it may import nothing\): the rules are pure/,
  },
  {
    title: 'core that imports only a type of another room',
    file: 'src/core/plan.ts',
    source: `\nimport type { Clock } from '../runtime/clock.ts'`,
    says: /^src\/core\/plan\.ts:2: core may not import runtime/,
  },
  {
    title: 'core that imports a Node module',
    file: 'src/core/plan.ts',
    source: `import { createHash } from 'node:crypto'`,
    says: /core imports no Node module/,
  },
  {
    title: 'core that imports a package',
    file: 'src/core/plan.ts',
    source: `import { z } from 'zod'`,
    says: /core imports no package/,
  },
  {
    title: 'core that runs code of the package whose types it may name',
    file: 'src/core/schema.ts',
    source: `import { StandardSchemaV1 } from '@standard-schema/spec'`,
    says: /core imports no package/,
  },
  {
    title: 'another file that names those types',
    file: 'src/client/define.ts',
    source: `import type { StandardSchemaV1 } from '@standard-schema/spec'`,
    says: /only src\/core\/schema\.ts imports @standard-schema\/spec/,
  },
  {
    title: 'the port that knows an adapter',
    file: 'src/store/jobs.ts',
    source: `export { openDriver } from '../sqlite/driver.ts'`,
    says: /store may not import sqlite \(it may import core\)/,
  },
  {
    title: 'the runtime that knows the port',
    file: 'src/runtime/service.ts',
    source: `export * from '../store/jobs.ts'`,
    says: /runtime may not import store/,
  },
  {
    title: 'an adapter that knows a service',
    file: 'src/sqlite/jobs.ts',
    source: `import { claim } from '../worker/claim.ts'`,
    says: /sqlite may not import worker \(it may import core, store, runtime\)/,
  },
  {
    title: 'a service that reaches past the port',
    file: 'src/client/enqueue.ts',
    source: `const { openDriver } = await import('../sqlite/driver.ts')`,
    says: /client may not import sqlite/,
  },
  {
    title: 'a service that knows another service',
    file: 'src/events/tailer.ts',
    source: `import { reap } from '../maintenance/reaper.ts'`,
    says: /events may not import maintenance/,
  },
  {
    title: 'maintenance that opens a Millrace',
    file: 'src/maintenance/reaper.ts',
    source: `import { openMillrace } from '../open-millrace.ts'`,
    says: /maintenance may not import open-millrace\.ts/,
  },
  {
    title: 'a command that goes round the public door',
    file: 'src/cli/start.ts',
    source: `import { openMillrace } from '../open-millrace.ts'`,
    says: /cli may not import open-millrace\.ts \(it may import index\.ts\)/,
  },
  {
    title: 'the door that lets an adapter out',
    file: 'src/index.ts',
    source: `export { openDriver } from './sqlite/driver.ts'`,
    says: /index\.ts may not import sqlite/,
  },
  {
    title: 'the test kit that goes round the port to a database',
    file: 'src/testing/clock.ts',
    source: `import { openSqliteStore } from '../sqlite/open.ts'`,
    says: /testing may not import sqlite/,
  },
  {
    title: 'a second way into node:sqlite',
    file: 'src/sqlite/jobs.ts',
    source: `import { DatabaseSync } from 'node:sqlite'`,
    says: /only src\/sqlite\/driver\.ts imports node:sqlite/,
  },
  {
    title: 'the package by its own name',
    file: 'src/worker/claim.ts',
    source: `import { openMillrace } from 'millrace'`,
    says: /imported by its path/,
  },
  {
    title: 'a file outside src/',
    file: 'src/worker/claim.ts',
    source: `import { scaled } from '../../test/support/scale.ts'`,
    says: /imports nothing outside src\//,
  },
  {
    title: 'a folder without a row in the table',
    file: 'src/plumbing/pipe.ts',
    source: `export {}`,
    says: /^src\/plumbing\/pipe\.ts:1: src\/plumbing is in no room/,
  },
]

describe('the room check refuses', () => {
  for (const { title, file, source, says } of refusals) {
    test(title, (context) => {
      const complaints = complaintsOf(context, { [file]: source })
      assert.equal(complaints.length, 1)
      assert.match(complaints[0] ?? '', says)
    })
  }

  test('a package that two files import', (context) => {
    const source = `import { Command } from 'commander'`
    const complaints = complaintsOf(context, { 'src/cli/bin.ts': source, 'src/cli/start.ts': source })
    assert.deepEqual(complaints, [
      'src/cli/start.ts:1: commander is already imported by src/cli/bin.ts: one file adapts a package for all others',
    ])
  })

  for (const name of ['utils', 'job-helpers', 'helper', 'common', 'misc', 'types', 'constants', 'utils.test']) {
    test(`a file called ${name}.ts`, (context) => {
      assert.match(complaintsOf(context, { [`test/core/${name}.ts`]: '' }).join(), /is a drawer/)
    })
  }
})

describe('the room check accepts', () => {
  test('imports that the table names', (context) => {
    const complaints = complaintsOf(context, {
      'src/core/plan.ts': `import type { Json } from './json.ts'`,
      'src/core/schema.ts': `import type { StandardSchemaV1 } from '@standard-schema/spec'`,
      'src/sqlite/driver.ts': `import { DatabaseSync } from 'node:sqlite'`,
      'src/worker/claim.ts': `import { plan } from '../core/plan.ts'\nexport * from '../runtime/clock.ts'`,
      'src/postgres/driver.ts': `import type { Pool } from 'pg'`,
      'src/open-store.ts': `import { openDriver } from './sqlite/driver.ts'`,
      'src/open-millrace.ts': `import { openStore } from './open-store.ts'`,
      'src/index.ts': `export { openMillrace } from './open-millrace.ts'`,
      'src/cli/bin.ts': `import { openMillrace } from '../index.ts'`,
    })
    assert.deepEqual(complaints, [])
  })

  test('an import that stands in a comment or a string', (context) => {
    const source = `// import { x } from '../worker/claim.ts'\nexport const example = "import { x } from 'zod'"`
    assert.deepEqual(complaintsOf(context, { 'src/core/plan.ts': source }), [])
  })

  test('a name in which a drawer is only a part', (context) => {
    assert.deepEqual(complaintsOf(context, { 'src/core/job-types.ts': '', 'src/core/common-prefix.ts': '' }), [])
  })
})

test('the table of rooms has no cycle, and a cycle would be found', () => {
  assert.deepEqual(cyclesIn(rooms), [])
  const table = {
    client: { mayImport: ['worker'] },
    worker: { mayImport: ['core', 'client'] },
    core: { mayImport: [] },
  }
  assert.deepEqual(cyclesIn(table), [['client', 'worker', 'client']])
})

test('the rooms in CONTRIBUTING.md are those of the table', () => {
  const page = readFileSync(join(project, 'CONTRIBUTING.md'), 'utf8')
  const rows = page.matchAll(/^\| `(?<room>[a-z.-]+)` \| (?<doors>[^|]+) \| (?<builtins>any|none) \|$/gm)
  const documented = [...rows].map(({ groups = {} }) => [
    groups['room'],
    [...(groups['doors'] ?? '').matchAll(/`([^`]+)`/g)].map((found) => found[1]),
    groups['builtins'],
  ])
  const expected = Object.entries(rooms).map(([room, { mayImport, builtins }]) => [room, mayImport, builtins])
  assert.deepEqual(documented.toSorted(byRoom), expected.toSorted(byRoom))
})

function byRoom([a]: readonly unknown[], [b]: readonly unknown[]): number {
  return String(a).localeCompare(String(b))
}

test('the command exits with 1 and names file, line and reason', (context) => {
  const root = writeTree(context, { 'src/core/plan.ts': `import 'node:fs'` })
  const { status, stderr } = spawnSync(process.execPath, [join(project, 'tools/check-rooms.ts'), root], {
    encoding: 'utf8',
  })
  assert.equal(status, 1)
  assert.match(stderr, /^src\/core\/plan\.ts:1: core imports no Node module: the rules are pure/m)
})
