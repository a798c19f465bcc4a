/** docs/reference/api.md against what can be imported, and against the members of what is handed out. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import * as door from '../../src/index.ts'
import * as testingDoor from '../../src/testing/index.ts'
import { PhaseContext } from '../../src/worker/phase-context.ts'
import { codesIn, tableUnder } from './markdown.ts'
import { pageAt, root } from './pages.ts'

const api = pageAt('docs/reference/api.md')

test('api.md names everything that can be imported and is not a type alone', () => {
  const classes = namesUnder('Classes', 'docs/reference/errors.md')
  const told = [...namesUnder('Functions'), ...namesUnder('Constants'), ...classes]
  assert.deepEqual(told.toSorted(), Object.keys(door).toSorted())
})

test('api.md names every option of openMillrace', () => {
  const source = readFileSync(join(root, 'src/open-store.ts'), 'utf8')
  const known = /const KNOWN_OPTIONS: [^{]*\{(?<names>[^}]*)\}/.exec(source)?.groups?.['names'] ?? ''
  const wanted = [...known.matchAll(/(?<name>\w+): true/g)].map(({ groups }) => groups?.['name'] ?? '')
  assert.ok(wanted.length > 0)
  assert.deepEqual(namesUnder('Options of `openMillrace`').toSorted(), wanted.toSorted())
})

test('api.md names every member of a Millrace', async () => {
  await using mill = await door.openMillrace('sqlite::memory:')
  assert.deepEqual(namesUnder('Millrace').toSorted(), membersOf(mill))
})

test('api.md names every member of a worker', async () => {
  await using mill = await door.openMillrace('sqlite::memory:')
  const nothing = door.handle(door.defineJob('nothing', { service: 'docs' }), () => null)
  const worker = await mill.work([nothing], { manual: true })
  assert.deepEqual(namesUnder('Worker').toSorted(), membersOf(worker))
})

test('api.md names every member of both managers', async () => {
  await using mill = await door.openMillrace('sqlite::memory:')
  const told = namesUnder('JobManager').toSorted()
  for (const manager of [new door.JobManager(mill), new door.JobStateManager(mill)]) {
    assert.deepEqual(told, membersOf(manager))
  }
})

test("api.md names every member of a handler's context", () => {
  const told = namesUnder('The context of a handler').map((name) => name.split(/[.(]/)[0] ?? '')
  const wanted = ['input', ...gettersOf(PhaseContext.prototype)]
  assert.deepEqual([...new Set(told)].toSorted(), wanted.toSorted())
})

const TESTING = 'docs/reference/testing.md'

test('testing.md names everything that can be imported from millrace/testing', () => {
  assert.deepEqual(namesUnder('Functions', TESTING).toSorted(), Object.keys(testingDoor).toSorted())
})

test('testing.md names every option of openTestMill', () => {
  const source = readFileSync(join(root, 'src/testing/open-test-mill.ts'), 'utf8')
  const known = /const KNOWN: [^{]*\{(?<names>[^}]*)\}/.exec(source)?.groups?.['names'] ?? ''
  const wanted = [...known.matchAll(/(?<name>\w+): true/g)].map(({ groups }) => groups?.['name'] ?? '')
  assert.ok(wanted.length > 0)
  assert.deepEqual(namesUnder('Options of `openTestMill`', TESTING).toSorted(), wanted.toSorted())
})

test('testing.md names every member of a test mill, of its clock and of its workers', async () => {
  await using kit = await testingDoor.openTestMill()
  const assertions = namesUnder('Assertions', TESTING)
  assert.deepEqual(assertions.toSorted(), membersOf(testingDoor.assertionsOn(kit.mill)))
  assert.deepEqual([...assertions, ...namesUnder('TestMill', TESTING)].toSorted(), membersOf(kit))
  assert.deepEqual(membersOf(kit.clock), ['advance', 'now'])
  const nothing = door.handle(door.defineJob('nothing', { service: 'docs' }), () => null)
  const hidden = new Set(['open', 'end'])
  const members = membersOf(await kit.worker([nothing])).filter((name) => !hidden.has(name))
  assert.deepEqual(namesUnder('TestWorker', TESTING).toSorted(), members)
})

function namesUnder(heading: string, path: string = api.path): readonly string[] {
  return tableUnder(pageAt(path), heading).rows.flatMap(([name = '']) => codesIn(name))
}

/** What a user can reach: the members of its classes up to, and without, Object. */
function membersOf(thing: object): readonly string[] {
  const names = new Set<string>()
  for (let at: object = thing; at !== Object.prototype; at = Object.getPrototypeOf(at) as object) {
    for (const name of gettersOf(at)) names.add(name)
  }
  return [...names].toSorted()
}

function gettersOf(prototype: object): readonly string[] {
  return Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor')
}
