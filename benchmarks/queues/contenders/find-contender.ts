import type { Contender, Settings } from './contender.ts'
import type { RawName } from './raw-layers.ts'

/** In the order of the tables. */
export const CONTENDERS = ['millrace', 'raw', 'plainjob', 'bullmq'] as const
export type ContenderName = (typeof CONTENDERS)[number] | RawName

/** Loads that contender alone, so that no other's code takes part in a run. */
export async function findContender(name: ContenderName, settings: Settings): Promise<Contender> {
  switch (name) {
    case 'millrace':
      return (await import('./millrace.ts')).millrace(settings)
    case 'plainjob':
      return (await import('./plainjob.ts')).plainjob(settings)
    case 'bullmq':
      return (await import('./bullmq.ts')).bullmq(settings)
    case 'raw':
    case 'raw-no-events':
    case 'raw-no-guard':
    case 'raw-normal':
      return (await import('./raw.ts')).raw(name)
  }
}
