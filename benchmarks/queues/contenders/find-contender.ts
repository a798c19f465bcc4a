import type { Contender, Settings } from './contender.ts'
import type { RawName } from './raw-layers.ts'

/** Whom one can ask for, beside those whose jobs are kept alike. The others of a group are compared with its first. */
export const GROUPS = {
  'SQLite and Redis': ['millrace', 'raw', 'plainjob', 'bullmq'],
  PostgreSQL: ['millrace-postgres', 'raw-postgres', 'graphile-worker', 'pg-boss', 'bullmq-postgres'],
} as const
export type Group = keyof typeof GROUPS
/** Those of them that have workers. */
export const POSTGRES_QUEUES = GROUPS.PostgreSQL.filter((name) => name !== 'raw-postgres')
export const CONTENDERS = Object.values(GROUPS).flat()
export type Family = (typeof CONTENDERS)[number]

/** Each of them brings its variants: with other durability, with something left out, with something switched on. */
const VARIANTS = {
  'plainjob-full': 'plainjob',
  'bullmq-always': 'bullmq',
  'raw-no-events': 'raw',
  'raw-no-guard': 'raw',
  'raw-normal': 'raw',
  'pg-boss-notify': 'pg-boss',
} as const satisfies Readonly<Record<string, Family> & Record<Exclude<RawName, 'raw'>, 'raw'>>
export type ContenderName = Family | keyof typeof VARIANTS

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
    case 'millrace-postgres':
      return (await import('./millrace-postgres.ts')).millracePostgres(settings)
    case 'raw-postgres':
      return (await import('./raw-postgres.ts')).rawPostgres()
    case 'graphile-worker':
      return (await import('./graphile-worker.ts')).graphileWorker(settings)
    case 'pg-boss':
    case 'pg-boss-notify':
      return (await import('./pg-boss.ts')).pgBoss(name, settings)
    case 'bullmq-postgres':
      return (await import('./bullmq-postgres.ts')).bullmqPostgres(settings)
  }
}

/** The one that this is, or is a variant of. */
export function familyOf(name: ContenderName): Family {
  return name in VARIANTS ? VARIANTS[name as keyof typeof VARIANTS] : (name as Family)
}

export function groupOf(name: ContenderName): Group {
  const family = familyOf(name)
  const groups = Object.entries(GROUPS) as [Group, readonly Family[]][]
  const found = groups.find(([, members]) => members.includes(family))
  if (found === undefined) throw new Error(`"${name}" is in no group`)
  return found[0]
}
