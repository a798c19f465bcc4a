/** Whether the schema is all there, by comparison with what the migrations make, and whether the log is numbered as it should be. */
import type { StoreFault } from '../store/integrity.ts'
import type { RunRows } from './driver.ts'
import { readMigrations } from './migrate.ts'

interface WantedTable {
  readonly name: string
  readonly constraints: number
}

interface WantedObject {
  readonly name: string
  /** What makes it. */
  readonly sql: string
}

interface WantedSchema {
  readonly tables: readonly WantedTable[]
  readonly indexes: readonly WantedObject[]
  readonly views: readonly WantedObject[]
}

const COMMENT = /^\s*--.*$/gm
const TABLE = /CREATE TABLE millrace\.(?<name>\w+) \((?<body>[^;]*)/g
const CONSTRAINT = /\bCHECK \(|\bPRIMARY KEY\b|\bUNIQUE\b/g
const INDEX = /CREATE (?:UNIQUE )?INDEX (?<name>\w+) ON [^;]*/g
const VIEW = /CREATE VIEW millrace\.(?<name>\w+) AS[^;]*/g

/** As the migrations make it. */
function wantedSchema(): WantedSchema {
  const script = readMigrations()
    .map(({ sql }) => sql.replaceAll(COMMENT, ''))
    .join('\n')
  const made = (pattern: RegExp): readonly WantedObject[] =>
    [...script.matchAll(pattern)].map(({ 0: sql, groups }) => ({ name: groups?.['name'] ?? '', sql }))
  return {
    tables: [...script.matchAll(TABLE)].map(({ groups }) => ({
      name: groups?.['name'] ?? '',
      constraints: [...(groups?.['body'] ?? '').matchAll(CONSTRAINT)].length,
    })),
    indexes: made(INDEX),
    views: made(VIEW),
  }
}

const OBJECTS =
  'SELECT c.relname AS name, (SELECT count(*) FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.convalidated AND ' +
  "k.contype IN ('c', 'p', 'u')) AS constraints, coalesce((SELECT i.indisvalid FROM pg_index AS i WHERE i.indexrelid = c.oid), true) AS valid " +
  'FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace WHERE s.nspname = $1'

async function schemaFaults(run: RunRows, schema: string): Promise<readonly StoreFault[]> {
  const rows = await run(OBJECTS, schema)
  const there = new Map(rows.filter((row) => row['valid'] === true).map((row) => [String(row['name']), row]))
  const { tables, indexes, views } = wantedSchema()
  const faults: StoreFault[] = []
  for (const { name, constraints } of tables) {
    const found = there.get(name)
    if (found === undefined) faults.push(tableMissing(name))
    else if (Number(found['constraints']) < constraints) {
      const message = `The table ${name} has ${Number(found['constraints'])} of its ${constraints} constraints, so impossible rows may get in.`
      faults.push({ code: 'constraint-missing', subject: name, message, repair: null })
    }
  }
  for (const { name } of indexes) if (!there.has(name)) faults.push(indexMissing(name))
  for (const { name } of views) if (!there.has(name)) faults.push(viewMissing(name))
  return faults
}

function tableMissing(name: string): StoreFault {
  return {
    code: 'table-missing',
    subject: name,
    message: `The table ${name} is missing: what needs it fails.`,
    repair: null,
  }
}

function indexMissing(name: string): StoreFault {
  const message = `The index ${name} is missing: what needs it is slow, or may come twice.`
  const repair = 'The index is made again. Nothing is written to its table meanwhile.'
  return { code: 'index-missing', subject: name, message, repair }
}

function viewMissing(name: string): StoreFault {
  const message = `The view ${name} is missing: people who read it can't.`
  return { code: 'view-missing', subject: name, message, repair: 'The view is made again.' }
}

const HEAD =
  'SELECT h.position, (SELECT c.first + c.events - 1 FROM millrace.commits AS c WHERE c.first IS NOT NULL ORDER BY c.first DESC LIMIT 1) AS last FROM millrace.log_head AS h'

async function headFaults(run: RunRows): Promise<readonly StoreFault[]> {
  const [head] = await run(HEAD)
  const [position, last] = [Number(head?.['position'] ?? -1), Number(head?.['last'] ?? 0)]
  if (position >= last) return []
  const message = `The log says that it is numbered to ${position}, but there are events up to ${last}: new ones would get places that are taken.`
  return [{ code: 'log-head-behind', subject: 'log_head', message, repair: 'It goes on behind the last place.' }]
}

const PAGE = 10_000
const EVENTS_OF_COMMITS =
  'SELECT e.commit, e.last, c.n IS NULL AS missing, e.last >= c.events AS beyond FROM (SELECT i.commit, max(i.idx) AS last FROM millrace.events AS i ' +
  'WHERE i.commit > $1 GROUP BY i.commit ORDER BY i.commit LIMIT $2) AS e LEFT JOIN millrace.commits AS c ON c.n = e.commit ORDER BY e.commit'
const PLACES =
  'SELECT p.n, p.first, p.first < lag(p.first + p.events) OVER (ORDER BY p.first) AS taken FROM ' +
  '(SELECT n, first, events FROM millrace.commits WHERE first IS NOT NULL AND first >= $1 ORDER BY first LIMIT $2) AS p ORDER BY p.first'

async function commitFaults(run: RunRows): Promise<readonly StoreFault[]> {
  const faults: StoreFault[] = []
  let after = 0
  for (let length = PAGE; length === PAGE;) {
    const rows = await run(EVENTS_OF_COMMITS, after, PAGE)
    for (const row of rows) {
      if (row['missing'] === true) faults.push(commitMissing(String(row['commit'])))
      else if (row['beyond'] === true) faults.push(placeTaken(String(row['commit'])))
    }
    after = Number(rows.at(-1)?.['commit'] ?? after)
    length = rows.length
  }
  return faults
}

async function placeFaults(run: RunRows): Promise<readonly StoreFault[]> {
  const faults: StoreFault[] = []
  let from = 0
  for (let length = PAGE; length === PAGE;) {
    const rows = await run(PLACES, from, PAGE)
    faults.push(...rows.filter((row) => row['taken'] === true).map((row) => placeTaken(String(row['n']))))
    from = Number(rows.at(-1)?.['first'] ?? from)
    length = rows.length
  }
  return faults
}

function commitMissing(commit: string): StoreFault {
  const message = `The events of commit ${commit} have no place in the log: whoever follows it is not told of them.`
  const repair = 'They are given the next place, at its end.'
  return { code: 'log-commit-missing', subject: commit, message, repair }
}

function placeTaken(commit: string): StoreFault {
  const message = `The events of commit ${commit} share places of the log with others: whoever follows it may miss some.`
  return { code: 'log-place-taken', subject: commit, message, repair: null }
}

/** Each page is a statement of its own, so that no snapshot is held for as long as the log is long. */
export async function findFaults(run: RunRows, schema: string): Promise<readonly StoreFault[]> {
  const faults = [...(await schemaFaults(run, schema))]
  // Without its tables there is no log to look at.
  if (faults.some(({ code }) => code === 'table-missing')) return faults
  faults.push(...(await headFaults(run)), ...(await commitFaults(run)), ...(await placeFaults(run)))
  return faults
}

const HEAD_ON =
  'UPDATE millrace.log_head SET position = greatest(position, (SELECT coalesce(max(first + events - 1), 0) FROM millrace.commits WHERE first IS NOT NULL)) RETURNING 1'
const ADD_COMMIT =
  'INSERT INTO millrace.commits (n, at, events) SELECT $1::bigint, max(at), max(idx) + 1 FROM millrace.events WHERE commit = $1::bigint ' +
  'HAVING count(*) > 0 ON CONFLICT (n) DO NOTHING RETURNING 1'

/** False: there was nothing that could be repaired. */
export async function repairFault(
  run: RunRows,
  { code, subject }: Pick<StoreFault, 'code' | 'subject'>,
): Promise<boolean> {
  if (code === 'log-head-behind') return (await run(HEAD_ON)).length === 1
  if (code === 'log-commit-missing') return (await run(ADD_COMMIT, Number(subject))).length === 1
  const { indexes, views } = wantedSchema()
  const wanted = [...indexes, ...views].find(({ name }) => name === subject)
  if (wanted === undefined || (code !== 'index-missing' && code !== 'view-missing')) return false
  await run(wanted.sql)
  return true
}
