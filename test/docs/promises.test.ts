import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { tableUnder } from './markdown.ts'
import { pageAt, root } from './pages.ts'

test('every promise of the README names the tests that hold it, and none of them is left out', () => {
  const { rows } = tableUnder(pageAt('README.md'), 'Promises')
  const named = rows.map(([, tests = '']) =>
    [...tests.matchAll(/\]\((?<path>[^)]+)\)/g)].map(({ groups }) => groups?.['path'] ?? ''),
  )
  assert.ok(
    named.every((paths) => paths.length > 0),
    'a promise names no test',
  )
  const guarantees = globSync('test/guarantees/*.test.ts', { cwd: root }).map((path) => path.replaceAll('\\', '/'))
  assert.ok(guarantees.length > 0, `there is no test in ${join(root, 'test/guarantees')}`)
  const inGuarantees = named.flat().filter((path) => path.startsWith('test/guarantees/'))
  assert.deepEqual([...new Set(inGuarantees)].toSorted(), guarantees.toSorted())
})
