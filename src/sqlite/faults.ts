/** Whether the schema is all there, by comparison with one that is made anew in memory. */
import type { StoreFault } from '../store/integrity.ts'
import type { Database } from './database.ts'
import { openConnection } from './driver.ts'
import type { Connection } from './driver.ts'
import { migrate } from './migrate.ts'

interface SchemaObject {
  readonly type: string
  readonly name: string
  readonly sql: string
}

const OBJECTS =
  "SELECT type, name, sql FROM sqlite_schema WHERE name GLOB 'millrace_*' AND sql IS NOT NULL ORDER BY type = 'view', type = 'index', name"

function objectsOf(connection: Connection): readonly SchemaObject[] {
  return connection
    .prepare(OBJECTS)
    .all()
    .map((row) => ({ type: String(row['type']), name: String(row['name']), sql: String(row['sql']) }))
}

/** As it should be. */
function wantedObjects(): readonly SchemaObject[] {
  const file = ':memory:'
  const connection = openConnection({ file, readOnly: false, durability: 'normal', maxBytes: null })
  try {
    migrate(connection, { file, clock: () => 0 })
    return objectsOf(connection)
  } finally {
    connection.close()
  }
}

export function findFaults(db: Database): readonly StoreFault[] {
  const there = new Map(objectsOf(db.connection).map((each) => [each.name, each]))
  return wantedObjects().flatMap((wanted) => {
    const found = there.get(wanted.name)
    if (found === undefined) return [missing(wanted)]
    return found.sql === wanted.sql ? [] : [differing(wanted)]
  })
}

const MISSING: Readonly<Record<string, Pick<StoreFault, 'code' | 'repair'>>> = {
  index: { code: 'index-missing', repair: 'The index is made again.' },
  view: { code: 'view-missing', repair: 'The view is made again.' },
}
const TABLE_MISSING: Pick<StoreFault, 'code' | 'repair'> = { code: 'table-missing', repair: null }

function missing({ type, name }: SchemaObject): StoreFault {
  const message = `The ${type} ${name} is missing: what needs it is slow or fails.`
  return { ...(MISSING[type] ?? TABLE_MISSING), subject: name, message }
}

function differing({ type, name }: SchemaObject): StoreFault {
  const message = `The ${type} ${name} is not as Millrace makes it: columns, constraints or what it is over were changed, so impossible rows may get in.`
  return { code: 'constraint-missing', subject: name, message, repair: null }
}

export function repairFault(db: Database, { code, subject }: Pick<StoreFault, 'code' | 'subject'>): boolean {
  const fault = findFaults(db).find((each) => each.code === code && each.subject === subject)
  const wanted = wantedObjects().find(({ name }) => name === subject)
  if (fault?.repair == null || wanted === undefined) return false
  db.connection.exec(wanted.sql)
  return true
}
