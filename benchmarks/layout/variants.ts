import type { Layout } from './layout.ts'
import { lean } from './lean.ts'

/** Each changes one thing of the first. */
export const variants: readonly Layout[] = [
  lean('B plain'),
  lean('enqueue through json_each', { enqueueBy: 'json' }),
  lean('complete a statement a row', { completeBy: 'rows' }),
  lean('complete returns its rows', { returning: true }),
  lean('complete returns its rows, events through json_each', { returning: true, eventsBy: 'json' }),
  lean('everything through json_each', { enqueueBy: 'json', returning: true, eventsBy: 'json' }),
  lean('everything a statement a row', { completeBy: 'rows', eventsBy: 'rows' }),
  lean('state as text', { state: 'text' }),
  lean('state as text, no CHECK constraints', { state: 'text', checks: false }),
  lean('input in a table apart', { bodies: 'apart' }),
  lean('no index on (job, seq)', { events: 'no-seq-index' }),
  lean('events without rowid, keyed (job, seq)', { events: 'without-rowid' }),
  lean('no CHECK constraints', { checks: false }),
  lean('ready index without n', { readyIndex: 'without-n' }),
  lean('a holder for each job', { holder: 'job' }),
  lean('cache_size 64 MiB', {}, { pragmas: ['cache_size = -65536'] }),
  lean('mmap_size 1 GiB', {}, { pragmas: ['mmap_size = 1073741824'] }),
  lean('temp_store memory', {}, { pragmas: ['temp_store = MEMORY'] }),
  lean('wal_autocheckpoint 4,000', {}, { pragmas: ['wal_autocheckpoint = 4000'] }),
  lean('wal_autocheckpoint 10,000', {}, { pragmas: ['wal_autocheckpoint = 10000'] }),
  lean('64 MiB cache, checkpoint at 4,000', {}, { pragmas: ['cache_size = -65536', 'wal_autocheckpoint = 4000'] }),
]

export const bodySizes = [60, 250, 500, 1_000, 2_048] as const

export function bodyPair(inputBytes: number): readonly Layout[] {
  return [lean('inline', {}, { inputBytes }), lean('in a table apart', { bodies: 'apart' }, { inputBytes })]
}
