/**
 * Millrace on PostgreSQL, through its public door only: another URL, and nothing else.
 *
 * - Durability is its default in both settings: the server's own, synchronous_commit on. Nothing is deleted: every job and event is kept.
 * - best: as many slots as it takes for claims and completions to share commits. Handlers here do nothing, so a slot costs nothing.
 * - defaults: 10 slots.
 */
import { handle, openMillrace } from '../built-package.ts'
import type { BacklogKind, Contender, Place, Settings } from './contender.ts'
import { millraceQueue, plainJob } from './millrace.ts'
import { BACKLOG_INPUT, copyRow } from './postgres-backlog.ts'
import { inPostgres } from './postgres-server.ts'

const OTHER_TYPE = 'bench.other'

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

/** Each with an id of its own, which sorts before those of the run. */
const IDS = "('00000000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid"

/** Copies of a job that came about as any does. Its events are not copied: nobody reads them where the others are worked on. */
async function addBacklog(place: Place, kind: BacklogKind, count: number): Promise<void> {
  if (kind === 'behind') throw new Error('there is no backlog of that kind on PostgreSQL')
  const id = kind === 'finished' ? await finishOne(place) : await addOther(place)
  await copyRow(place.address, {
    table: 'millrace.jobs',
    condition: `id = '${id}'`,
    differing: { id: IDS },
    filled: ['n'],
    count,
  })
}

async function addOther({ address }: Place): Promise<string> {
  const mill = await openMillrace(address)
  const { job } = await mill.enqueue(OTHER_TYPE, BACKLOG_INPUT)
  await mill.close()
  return job.id
}

async function finishOne({ address }: Place): Promise<string> {
  const mill = await openMillrace(address)
  const worker = await mill.work([handle(plainJob, () => undefined)])
  const { job } = await mill.enqueue(plainJob, BACKLOG_INPUT)
  await mill.waitFor(job)
  await worker.stop()
  await mill.close()
  return job.id
}
