/** A schema as text, from the catalogs: the same for everybody who has the same tables, columns, checks and indexes. */
import type pg from 'pg'

const TABLES = `
  SELECT c.oid, c.relname AS name, coalesce(array_to_string(c.reloptions, ', '), '') AS options
  FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace WHERE s.nspname = $1 AND c.relkind = 'r' ORDER BY c.relname`
const COLUMNS = `
  SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required, a.attidentity AS identity,
    pg_get_expr(d.adbin, d.adrelid) AS fallback
  FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`
// What must not be null stands with the columns.
const CONSTRAINTS = `
  SELECT pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE conrelid = $1 AND contype <> 'n' ORDER BY contype DESC, pg_get_constraintdef(oid) COLLATE "C"`
const INDEXES = `
  SELECT pg_get_indexdef(i.indexrelid) AS definition FROM pg_index AS i
  WHERE i.indrelid = $1 AND NOT EXISTS (SELECT 1 FROM pg_constraint AS c WHERE c.conindid = i.indexrelid) ORDER BY pg_get_indexdef(i.indexrelid) COLLATE "C"`
const VIEWS = `
  SELECT c.relname AS name, string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) AS columns
  FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
  WHERE s.nspname = $1 AND c.relkind = 'v' GROUP BY c.relname ORDER BY c.relname`

interface Column {
  readonly name: string
  readonly type: string
  readonly required: boolean
  readonly identity: string
  readonly fallback: string | null
}

export async function schemaText(client: pg.Client, schema: string): Promise<string> {
  const parts: string[] = []
  const tables = await client.query<{ oid: number; name: string; options: string }>(TABLES, [schema])
  for (const { oid, name, options } of tables.rows) {
    const columns = await client.query<Column>(COLUMNS, [oid])
    const constraints = await client.query<{ definition: string }>(CONSTRAINTS, [oid])
    const indexes = await client.query<{ definition: string }>(INDEXES, [oid])
    const lines = [...columns.rows.map(columnText), ...constraints.rows.map(({ definition }) => definition)]
    const storage = options === '' ? '' : ` WITH (${options})`
    parts.push(`CREATE TABLE millrace.${name} (\n  ${lines.join(',\n  ')}\n)${storage};\n`)
    parts.push(...indexes.rows.map(({ definition }) => `${definition};\n`))
  }
  const views = await client.query<{ name: string; columns: string }>(VIEWS, [schema])
  parts.push(...views.rows.map(({ name, columns }) => `-- view millrace.${name}: ${columns}\n`))
  return parts.join('\n').replaceAll(schema, 'millrace')
}

function columnText({ name, type, required, identity, fallback }: Column): string {
  const generated = identity === 'a' ? ' GENERATED ALWAYS AS IDENTITY' : ''
  const otherwise = fallback === null ? '' : ` DEFAULT ${fallback}`
  return `${name} ${type}${required ? ' NOT NULL' : ''}${generated}${otherwise}`
}
