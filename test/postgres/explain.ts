/** The plans of recorded statements, as a list of what reads a table. */
import type pg from 'pg'

import type { Purpose, Statement } from './recorded-store.ts'

/** One node of a plan that reads a table, or an index of it. */
export interface TableScan {
  /** `Seq Scan`, `Index Scan`, `Tid Scan`, … */
  readonly kind: string
  readonly table: string
  readonly index: string | null
  /** What it looks for in the index, or by place. Null: it reads from end to end. */
  readonly condition: string | null
  /** Whether it is read no further than the answer needs: there is a LIMIT, and nothing below it that reads all first. */
  readonly stopsEarly: boolean
  /** The part of the statement that it belongs to, such as `CTE picked`. */
  readonly part: string | null
}

const SETTINGS: Readonly<Record<Purpose, string>> = {
  write:
    'enable_seqscan = off; SET enable_bitmapscan = off; SET enable_memoize = off; SET jit = off; SET plan_cache_mode = force_generic_plan',
  read: 'enable_seqscan = off; SET enable_bitmapscan = on; SET enable_memoize = on; SET jit = on; SET plan_cache_mode = auto',
  count:
    'enable_seqscan = on; SET enable_bitmapscan = on; SET enable_memoize = on; SET jit = on; SET plan_cache_mode = auto',
}
/** By then the server has chosen between a plan for these values and one for any. */
const EXECUTIONS_UNTIL_CHOICE = 6

/** As the store has it run: what writes, by a plan for any values; what reads, by the plan that the server settles for. */
export async function scansOf(client: pg.Client, { text, values, purpose }: Statement): Promise<readonly TableScan[]> {
  await client.query(`SET ${SETTINGS[purpose]}`)
  await client.query(`PREPARE asked AS ${text}`)
  try {
    const given = values.length === 0 ? '' : `(${values.map(literal).join(', ')})`
    const times = purpose === 'write' ? 1 : EXECUTIONS_UNTIL_CHOICE
    const explained = Array.from({ length: times }, () => `EXPLAIN (FORMAT JSON) EXECUTE asked${given}`)
    const answers: unknown = await client.query(explained.join(';'))
    const last = (Array.isArray(answers) ? answers.at(-1) : answers) as pg.QueryResult<Explained>
    const [plan] = last.rows[0]?.['QUERY PLAN'] ?? []
    if (plan === undefined) throw new RangeError(`there is no plan of ${text}`)
    return [...scansUnder(plan.Plan, { part: null, table: null, stopsEarly: false })]
  } finally {
    await client.query('DEALLOCATE asked')
  }
}

/** Of the type that its place asks for. */
function literal(value: string | null): string {
  return value === null ? 'NULL' : `'${value.replaceAll("'", "''")}'`
}

interface Explained {
  readonly 'QUERY PLAN': readonly { readonly Plan: PlanNode }[]
}

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly 'Index Cond'?: string
  readonly 'TID Cond'?: string
  readonly 'Subplan Name'?: string
  readonly Plans?: readonly PlanNode[]
}

interface Above {
  readonly part: string | null
  readonly table: string | null
  readonly stopsEarly: boolean
}

/** What takes in everything below it before it gives anything. */
const READS_ALL: ReadonlySet<string> = new Set(['Sort', 'Aggregate', 'Hash', 'ModifyTable', 'Bitmap Heap Scan'])

function* scansUnder(node: PlanNode, above: Above): Generator<TableScan> {
  const kind = node['Node Type']
  const part = node['Subplan Name'] ?? above.part
  const table = node['Relation Name'] ?? above.table
  const stopsEarly = kind === 'Limit' || (above.stopsEarly && !READS_ALL.has(kind))
  const reads = kind === 'Bitmap Index Scan' || (node['Relation Name'] !== undefined && kind.endsWith('Scan'))
  // What a bitmap is of stands in the node below.
  if (reads && kind !== 'Bitmap Heap Scan' && table !== null) {
    const condition = node['Index Cond'] ?? node['TID Cond'] ?? null
    yield { kind, table, index: node['Index Name'] ?? null, condition, stopsEarly, part }
  }
  for (const below of node.Plans ?? []) yield* scansUnder(below, { part, table, stopsEarly })
}
