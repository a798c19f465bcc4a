import type { Contender, Settings } from './contender.ts'
import type { RawName } from './raw-layers.ts'

/** Whom one can ask for. Each brings its variants, named after it: with other durability, or with something left out. */
export const CONTENDERS = ['millrace', 'raw', 'plainjob', 'bullmq'] as const
export type ContenderName = (typeof CONTENDERS)[number] | 'plainjob-full' | 'bullmq-always' | RawName

/** Loads that contender alone, so that no other's code takes part in a run. */
export async function findContender(name: ContenderName, settings: Settings): Promise<Contender> {
  switch (name) {
    case 'millrace':
      return (await import('./millrace.ts')).millrace(settings)
    case 'plainjob':
    case 'plainjob-full':
      return (await import('./plainjob.ts')).plainjob(name, settings)
    case 'bullmq':
    case 'bullmq-always':
      return (await import('./bullmq.ts')).bullmq(name, settings)
    case 'raw':
    case 'raw-no-events':
    case 'raw-no-guard':
    case 'raw-normal':
      return (await import('./raw.ts')).raw(name)
  }
}

/** The one that this is, or is a variant of. */
export function familyOf(name: ContenderName): (typeof CONTENDERS)[number] {
  return name.split('-')[0] as (typeof CONTENDERS)[number]
}
