/**
 * Millrace on PostgreSQL, through its public door only: another URL, and nothing else.
 *
 * - Durability is its default in both settings: the server's own, synchronous_commit on. Nothing is deleted: every job and event is kept.
 * - best: as many slots as it takes for claims and completions to share commits. Handlers here do nothing, so a slot costs nothing.
 * - defaults: 10 slots.
 */
import { openMillrace } from '../../../src/index.ts'
import type { BacklogKind, Contender, Place, Settings } from './contender.ts'
import { millraceQueue } from './millrace.ts'
import { BACKLOG_INPUT, copyRow } from './postgres-backlog.ts'
import { inPostgres } from './postgres-server.ts'

export const OTHER_TYPE = 'bench.other'

export function millracePostgres(settings: Settings): Contender {
  return {
    ...inPostgres(async (url) => (await openMillrace(url)).close()),
    name: 'millrace-postgres',
    label: 'Millrace on PostgreSQL',
    settings,
    open: async ({ address }, load) => millraceQueue(await openMillrace(address), settings, load),
    addBacklog,
  }
}

/** Copies of a job that came about as any does, each with an id of its own that sorts before those of the run. */
const IDS = "('00000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid"

async function addBacklog({ address }: Place, kind: BacklogKind, count: number): Promise<void> {
  if (kind === 'behind') throw new Error('there is no backlog of that kind on PostgreSQL')
  const mill = await openMillrace(address)
  const { job } = await mill.enqueue(OTHER_TYPE, BACKLOG_INPUT)
  if (kind === 'finished') {
    await mill.cancel(job.id)
  }
  await mill.close()
  const table = 'millrace.jobs'
  await copyRow(address, { table, condition: `id = '${job.id}'`, differing: { id: IDS }, filled: ['n'], count })
}
