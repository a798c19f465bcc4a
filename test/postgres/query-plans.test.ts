/**
 * Every statement of the adapter, collected by driving every operation, must find its rows through an index that fits, whatever the tables
 * were like when the plan was made: the plans of what writes are kept, perhaps from a time when there was next to nothing in them.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import pg from 'pg'

import { migrationScript, readMigrations } from '../../src/postgres/migrate.ts'
import { newSchemaName } from '../support/postgres-database.ts'
import { postgresUrl } from '../support/postgres-server.ts'
import { scaled } from '../support/scale.ts'
import { driveStore } from './drive-store.ts'
import { scansOf } from './explain.ts'
import type { TableScan } from './explain.ts'
import { GROWING, analyze, fillTables } from './many-rows.ts'
import type { ManyRows } from './many-rows.ts'
import { openRecordedStore } from './recorded-store.ts'
import type { Purpose, Statement } from './recorded-store.ts'

const MANY = scaled(100_000)

interface Situation {
  readonly name: string
  readonly rows: ManyRows | null
  readonly analyzed: boolean
}

const FEW_JOBS: ManyRows = { jobs: 1_000, load: 'busy' }
const MANY_JOBS: ManyRows = { jobs: MANY, load: 'busy' }
/** So many that it seems cheaper to go through all that wait than to look some hundreds up. */
const BACKLOG: ManyRows = { jobs: 20_000, load: 'backlog' }
const MANY_DONE: ManyRows = { jobs: MANY, load: 'idle' }

const SITUATIONS: readonly Situation[] = [
  { name: 'in a fresh schema', rows: null, analyzed: false },
  { name: 'in a fresh schema with statistics that say that it is empty', rows: null, analyzed: true },
  { name: 'with a thousand jobs and no statistics', rows: FEW_JOBS, analyzed: false },
  { name: 'with a thousand jobs', rows: FEW_JOBS, analyzed: true },
  { name: 'with a backlog', rows: BACKLOG, analyzed: true },
  { name: `with ${MANY} jobs and no statistics`, rows: MANY_JOBS, analyzed: false },
  { name: `with ${MANY} jobs`, rows: MANY_JOBS, analyzed: true },
  { name: `with ${MANY} jobs that are done`, rows: MANY_DONE, analyzed: true },
]

interface MayBeWhole {
  readonly index: RegExp
  readonly purposes: readonly Purpose[]
  readonly because: string
}

/** Which indexes may be read from end to end. */
const MAY_BE_WHOLE: readonly MayBeWhole[] = [
  { index: /^jobs_held$/, purposes: ['write'], because: 'now and then a sweep looks through all that is held' },
  { index: /^commits_unplaced$/, purposes: ['write', 'read'], because: 'what has no place yet is given one, in order' },
  { index: /^labels_/, purposes: ['write'], because: 'stops at the first: is there any label?' },
  { index: /^jobs_pkey$/, purposes: ['read'], because: 'a page of jobs, newest first' },
  {
    index: /^jobs_(?:ready|due|held|waiting|finished|unique)$/,
    purposes: ['read'],
    because: 'all in a state, of which there are few',
  },
]

let recorded: { readonly schema: string; readonly statements: readonly Statement[] } | null = null
const client = new pg.Client({
  connectionString: await postgresUrl(),
  options: '-c client_min_messages=warning',
})
/** One for all situations with the same rows: first come those without statistics. */
const schemas = new Map<ManyRows | null, string>()

before(async () => {
  await client.connect()
  const { bench, schema, statements } = await openRecordedStore()
  await driveStore(bench)
  await bench.close()
  recorded = { schema, statements: [...statements.values()] }
})

after(async () => {
  for (const schema of schemas.values()) await client.query(`DROP SCHEMA "${schema}" CASCADE`)
  await client.end()
})

async function schemaWith(rows: ManyRows | null): Promise<string> {
  const known = schemas.get(rows)
  if (known !== undefined) return known
  const schema = newSchemaName()
  schemas.set(rows, schema)
  await client.query(migrationScript(readMigrations(), schema))
  if (rows !== null) await fillTables(client, schema, rows)
  return schema
}

interface Planned {
  readonly statement: Statement
  readonly text: string
  readonly scans: readonly TableScan[]
}

async function planAll({ rows, analyzed }: Situation): Promise<readonly Planned[]> {
  const schema = await schemaWith(rows)
  if (analyzed) await analyze(client, schema)
  assert.ok(recorded !== null)
  const planned: Planned[] = []
  for (const statement of recorded.statements) {
    const text = statement.text.replaceAll(recorded.schema, schema)
    const scans = await scansOf(client, { ...statement, text })
    planned.push({
      statement,
      text: text.replaceAll(`"${schema}".`, ''),
      scans: scans.filter(({ table }) => GROWING.includes(table)),
    })
  }
  return planned
}

const used = new Set<MayBeWhole>()

function assertIndexed({ text, statement: { purpose }, scans }: Planned): void {
  // What counts may read all that it counts.
  if (purpose === 'count') return
  for (const { kind, table, index } of scans.filter(({ condition }) => condition === null)) {
    const allowed = MAY_BE_WHOLE.find((one) => one.purposes.includes(purpose) && one.index.test(index ?? ''))
    assert.ok(allowed !== undefined, `${kind} of ${index ?? table} from end to end, to ${purpose}:\n  ${text}`)
    used.add(allowed)
  }
}

/** Which indexes of jobs a statement goes by, in the order of the alphabet; `place` stands for a look-up by place. */
function waysOf(scans: readonly TableScan[], table: string = 'jobs'): readonly string[] {
  const ways = scans
    .filter((scan) => scan.table === table)
    .map(({ kind, index }) => (kind === 'Tid Scan' ? 'place' : (index ?? kind)))
  return [...new Set(ways)].toSorted()
}

/** The statements on the way of every job, by a part of their texts, and how each of them may find jobs. */
const WAYS: readonly (readonly [part: string, ways: readonly string[], least: number])[] = [
  ['urgent AS MATERIALIZED', ['jobs_due', 'jobs_ready', 'jobs_ready_suspects', 'jobs_waiting', 'place'], 1],
  [
    'AS b WHERE j.ctid = b.place AND j.event_seq = b.event_seq AND j.holder IS NOT DISTINCT FROM',
    ['jobs_pkey', 'place'],
    8,
  ],
  ['AS b WHERE j.ctid = b.place', ['jobs_pkey', 'place'], 9],
  ['WHERE j.ctid = v.place AND j.id IS NOT DISTINCT FROM', ['place'], 1],
  ['WHERE j.ctid = ANY($3::tid[])', ['place'], 1],
  ['SET bundled = false WHERE j.id = ANY(ARRAY(', ['jobs_pkey'], 1],
  ['WITH due AS MATERIALIZED', ['jobs_due', 'place'], 1],
  ['ORDER BY j.id FOR UPDATE', ['jobs_pkey'], 1],
  ['holder = $1 AND suspect', ['jobs_held'], 1],
  ['j.deadline_at <= $1', ['jobs_held'], 1],
  ['j.cancel_requested_at <= $1', ['jobs_stopping'], 1],
  ['WITH ORDINALITY AS v (job, holder', ['jobs_pkey'], 1],
  ['unique_key = $3 AND unique_key IS NOT NULL', ['jobs_unique'], 1],
]

for (const situation of SITUATIONS) {
  describe(situation.name, () => {
    let planned: readonly Planned[] = []

    test('every statement finds its rows through an index', async () => {
      planned = await planAll(situation)
      assert.ok(planned.length > 150, `${planned.length} statements`)
      for (const one of planned) assertIndexed(one)
    })

    test('the statements on the way of every job find it by the index that is made for them', () => {
      for (const [part, ways, least] of WAYS) {
        const those = planned.filter(({ text }) => text.includes(part))
        assert.ok(those.length >= least, `${those.length} statements with ${part}`)
        for (const { text, scans } of those) assert.deepEqual(waysOf(scans), ways, text)
      }
    })

    test('a claim reads no further into a lane than it takes jobs', () => {
      const claim = planned.find(({ text }) => text.includes('urgent AS MATERIALIZED'))
      const heads = claim?.scans.filter(({ index }) => index === 'jobs_ready') ?? []
      const bundles = claim?.scans.filter(({ index }) => index === 'bundles_ready') ?? []
      assert.deepEqual([heads.length, bundles.length], [6, 1])
      for (const { condition, stopsEarly, part } of [...heads, ...bundles]) {
        assert.match(condition ?? '', /lane = /)
        assert.ok(stopsEarly, `${part} reads the whole lane`)
      }
    })

    test('a sweep looks up what it is about', () => {
      for (const [part, condition] of [
        ['j.deadline_at <= $1', /holder = .*deadline_at <= /],
        ['s.ended_at >= $1', /holder = /],
        ['j.cancel_requested_at <= $1', /cancel_requested_at <= /],
      ] as const) {
        const sweep = planned.find(({ text }) => text.includes(part))
        const ofJobs = sweep?.scans.filter(({ table }) => table === 'jobs') ?? []
        assert.equal(ofJobs.length, 1, part)
        assert.match(ofJobs[0]?.condition ?? '', condition)
      }
    })

    test('the log is read on from a position, commit by commit, whoever asks', () => {
      const reads = planned.filter(({ text }) => text.includes('ORDER BY a.first OFFSET 0'))
      assert.equal(reads.length, 3)
      for (const { text, scans } of reads) {
        assert.deepEqual(waysOf(scans, 'commits'), ['commits_placed'], text)
        assert.deepEqual(waysOf(scans, 'events'), ['events_pkey'], text)
        assert.deepEqual(waysOf(scans), ['jobs_pkey'], text)
      }
    })
  })
}

test('what may be read from end to end is, somewhere', () => {
  for (const one of MAY_BE_WHOLE) assert.ok(used.has(one), `nothing reads all of ${String(one.index)} any more`)
})
