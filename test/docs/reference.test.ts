/** The tables of the documentation against what the code says, in both directions. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { MAX_RETRY_AFTER_MS } from '../../src/core/classification/retry-after.ts'
import { MAX_DURATION_MS } from '../../src/core/duration.ts'
import { MAX_JSON_DEPTH } from '../../src/core/encode-json.ts'
import { ERROR_CODES } from '../../src/core/errors.ts'
import { EVENT_NAMES } from '../../src/core/events.ts'
import { DEFAULTS, LIMITS } from '../../src/core/limits.ts'
import { PLANS } from '../../src/core/plans.ts'
import { PROGRESS_EVENT_MS, PROGRESS_WRITE_MS } from '../../src/core/progress.ts'
import { DEFAULT_RETENTION } from '../../src/core/retention.ts'
import { DEFAULT_BACKOFF } from '../../src/core/retry.ts'
import { JOB_STATES, TRANSITIONS } from '../../src/core/states.ts'
import { compilePlan } from '../../src/sqlite/compile.ts'
import { rooms } from '../../tools/rooms.ts'
import { codesIn, tableUnder } from './markdown.ts'
import type { Table } from './markdown.ts'
import { pageAt, root } from './pages.ts'

test('errors.md explains every code with the meaning that the code gives it', () => {
  const table = tableUnder(pageAt('docs/reference/errors.md'), 'Codes')
  const told = table.rows.map(([code = '', meaning = '']) => [codesIn(code)[0], meaning])
  assert.deepEqual(Object.fromEntries(told), { ...ERROR_CODES })
  assert.equal(told.length, Object.keys(ERROR_CODES).length)
})

test('limits.md tells every limit and its value', () => {
  assert.deepEqual(numbersIn(tableUnder(pageAt('docs/reference/limits.md'), 'Limits')), { ...LIMITS })
})

test('limits.md tells every default and its value', () => {
  assert.deepEqual(numbersIn(tableUnder(pageAt('docs/reference/limits.md'), 'Defaults')), { ...DEFAULTS })
})

test('limits.md tells the limits that stand beside a rule', () => {
  assert.deepEqual(numbersIn(tableUnder(pageAt('docs/reference/limits.md'), 'Beside a rule')), {
    MAX_JSON_DEPTH,
    MAX_DURATION_MS,
    MAX_RETRY_AFTER_MS,
    PROGRESS_WRITE_MS,
    PROGRESS_EVENT_MS,
    'DEFAULT_RETENTION.completed.ageMs': DEFAULT_RETENTION.completed.ageMs,
    'DEFAULT_RETENTION.failed.ageMs': DEFAULT_RETENTION.failed.ageMs,
    'DEFAULT_RETENTION.cancelled.ageMs': DEFAULT_RETENTION.cancelled.ageMs,
    'DEFAULT_BACKOFF.baseMs': DEFAULT_BACKOFF.baseMs,
    'DEFAULT_BACKOFF.maxMs': DEFAULT_BACKOFF.maxMs,
    'DEFAULT_BACKOFF.factor': DEFAULT_BACKOFF.factor,
    'DEFAULT_BACKOFF.jitter': DEFAULT_BACKOFF.jitter,
  })
})

test('events.md tells every event', () => {
  const { rows } = tableUnder(pageAt('docs/reference/events.md'), 'Names')
  assert.deepEqual(
    rows.map(([name = '']) => codesIn(name)[0]),
    [...EVENT_NAMES],
  )
})

test('states.md tells every state', () => {
  const { rows } = tableUnder(pageAt('docs/reference/states.md'), 'States')
  assert.deepEqual(
    rows.map(([state = '']) => codesIn(state)[0]),
    [...JOB_STATES],
  )
})

describe('the table of transitions', () => {
  for (const [path, heading] of [
    ['ARCHITECTURE.md', 'The state machine'],
    ['docs/reference/states.md', 'Transitions'],
  ] as const) {
    test(`of ${path} is that of the code`, () => {
      const { rows } = tableUnder(pageAt(path), heading)
      const told = rows.map(([command = '', from = '', to = '']) => [
        codesIn(command)[0],
        { from: codesIn(from), to: codesIn(to) },
      ])
      assert.deepEqual(Object.fromEntries(told), { ...TRANSITIONS })
    })
  }
})

test('ARCHITECTURE.md tells of every room who may import whom, and why', () => {
  const { rows } = tableUnder(pageAt('ARCHITECTURE.md'), 'Rooms')
  const told = rows.map(([room = '', mayImport = '', because = '']) => [
    codesIn(room)[0],
    { mayImport: codesIn(mayImport), because },
  ])
  const wanted = Object.entries(rooms).map(([room, { mayImport, because }]) => [room, { mayImport, because }])
  assert.deepEqual(Object.fromEntries(told), Object.fromEntries(wanted))
})

test('the SQL that ARCHITECTURE.md shows is what its plan compiles to', () => {
  const blocks = pageAt('ARCHITECTURE.md').blocks.filter(({ attributes }) => attributes['plan'] !== undefined)
  assert.ok(blocks.length > 0, 'no plan is shown as SQL')
  for (const { code, line, attributes } of blocks) {
    const plan = PLANS.find(({ name }) => name === attributes['plan'])
    assert.ok(plan, `ARCHITECTURE.md:${line} names no plan`)
    const compiled = compilePlan({ plan, role: 'operator', returning: [] }).map(({ sql }) => sql)
    assert.equal(withoutReturning(code), compiled.map(withoutReturning).join(''))
  }
})

test('classification rules are told by the guide as the code tells them', () => {
  const source = readFileSync(join(root, 'src/core/classification.ts'), 'utf8')
  const inSource = [...source.matchAll(/^ \* \| (?<verdict>fatal|retryable) \| (?<rules>.*) \|$/gm)]
  const wanted = inSource.map(({ groups }): readonly [string, readonly string[]] => [
    groups?.['verdict'] ?? '',
    codesIn(groups?.['rules'] ?? '').toSorted(),
  ])
  assert.equal(wanted.length, 2)
  const { rows } = tableUnder(pageAt('docs/how-to/retries.md'), 'The rules')
  const told = Map.groupBy(rows, ([, verdict = '']) => verdict)
  assert.deepEqual(
    wanted.map(([verdict]) => [verdict, (told.get(verdict) ?? []).flatMap(([rule = '']) => codesIn(rule)).toSorted()]),
    wanted,
  )
})

test('the codes of red flags are told by the guide with the meaning that the code gives them', () => {
  const source = readFileSync(join(root, 'src/core/red-flags.ts'), 'utf8')
  const wanted = [...source.matchAll(/^ \* \| `(?<code>[a-z-]+)` \| (?<meaning>.*) \|$/gm)].map(({ groups }) => [
    groups?.['code'],
    groups?.['meaning'],
  ])
  const union = /export type RedFlagCode =(?<codes>(?:\s*\| '[a-z-]+')+)/.exec(source)?.groups?.['codes'] ?? ''
  const codes = [...union.matchAll(/'(?<code>[a-z-]+)'/g)].map(({ groups }) => groups?.['code'])
  assert.deepEqual(
    wanted.map(([code]) => code),
    codes,
  )
  const { rows } = tableUnder(pageAt('docs/how-to/ownership.md'), 'Red flags')
  assert.deepEqual(
    rows.map(([code = '', meaning]) => [codesIn(code)[0], meaning]),
    wanted,
  )
})

test('states.md tells every issue of a job, and which can be repaired', () => {
  const source = readFileSync(join(root, 'src/core/validation.ts'), 'utf8')
  const wanted = [...source.matchAll(/code: '(?<code>[a-z-]+)',\n\s+repairable: (?<repairable>true|false)/g)]
  const { rows } = tableUnder(pageAt('docs/reference/states.md'), 'Impossible states')
  assert.deepEqual(
    rows.map(([code = '', , repaired = '']) => [codesIn(code)[0], repaired !== 'no']),
    wanted.map(({ groups }) => [groups?.['code'], groups?.['repairable'] === 'true']),
  )
})

test('the reasons of explain() are told by the guide as the code tells them', () => {
  const source = readFileSync(join(root, 'src/core/explain.ts'), 'utf8')
  const union = /export type ReasonCode =(?<codes>(?:\s*\| '[a-z-]+')+)/.exec(source)?.groups?.['codes'] ?? ''
  const wanted = [...union.matchAll(/'(?<code>[a-z-]+)'/g)].map(({ groups }) => groups?.['code'])
  assert.ok(wanted.length > 0)
  const { rows } = tableUnder(pageAt('docs/reference/states.md'), 'Why a job is not running')
  assert.deepEqual(
    rows.flatMap(([code = '']) => codesIn(code)),
    wanted,
  )
})

/** `| \`name\` | 1,000 | …` as `{ name: 1000 }`. */
function numbersIn({ rows }: Table): Readonly<Record<string, number>> {
  const entries = rows.map(([name = '', amount = '']) => [codesIn(name)[0] ?? '', Number(amount.replaceAll(',', ''))])
  return Object.fromEntries(entries) as Readonly<Record<string, number>>
}

/** One line, up to the columns that are given back, which are of no interest here. */
function withoutReturning(sql: string): string {
  return sql
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?RETURNING [^;]*;?/g, ';')
    .replaceAll(/; ?/g, ';')
    .trim()
}
