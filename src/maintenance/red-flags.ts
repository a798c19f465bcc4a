/** Looks for red flags, and logs each once until it is gone. */
import { redFlagKey } from '../core/red-flags.ts'
import type { RedFlag } from '../core/red-flags.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { Service } from '../runtime/service.ts'
import type { Store } from '../store/store.ts'
import { EntityAsker } from './ask-entities.ts'
import type { EntityProbes } from './ask-entities.ts'
import { findRedFlags } from './find-red-flags.ts'

export interface RedFlagOptions {
  readonly store: Store
  readonly runtime: Runtime
  readonly logger: Logger
  /** Of the types that this process works on at the moment. */
  readonly probes: () => EntityProbes
}

const EVERY_MS = 60_000
const JITTER = 0.2

/** A flag is logged when two passes in a row have seen it: between two versions of a service there is a moment without workers. */
export function redFlagWatch({ store, runtime, logger, probes }: RedFlagOptions): Service<readonly RedFlag[]> {
  const asker = new EntityAsker({ store, runtime, logger })
  let seen = new Set<string>()
  let logged = new Set<string>()
  const note = (flags: readonly RedFlag[]): void => {
    const present = new Map(flags.map((flag) => [redFlagKey(flag), flag]))
    logged = new Set([...logged].filter((key) => present.has(key)))
    for (const [key, { message, ...fields }] of present) {
      if (!seen.has(key) || logged.has(key)) continue
      logged.add(key)
      logger.warn(message, { ...fields, code: `red-flag:${fields.code}` })
    }
    seen = new Set(present.keys())
  }
  return new Service({
    name: 'watch for red flags',
    runtime,
    logger,
    everyMs: EVERY_MS,
    jitter: JITTER,
    pass: async ({ cause }): Promise<readonly RedFlag[]> => {
      await asker.ask(probes())
      const flags = await findRedFlags(store)
      if (cause === 'time') note(flags)
      return flags
    },
  })
}
