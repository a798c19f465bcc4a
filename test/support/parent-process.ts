/** The other side of child-program.ts: what a child process has from its parent. */
import { flushCompileCache } from 'node:module'

import { openMillrace } from '../../src/index.ts'
import type { Millrace, MillraceOptions } from '../../src/index.ts'
import { Announcements } from './wait-for-event.ts'
import type { Message } from './child-program.ts'

const fromParent = new Announcements('the parent')
process.on('message', ({ name, facts }: Message) => fromParent.tell(name, facts))
// Only a program that waits for its parent is kept alive by that.
process.channel?.unref()
// A child whose parent died has nobody left to kill it.
process.on('disconnect', () => process.exit(1))

/** What the parent has handed over at the start: JSON. */
export function handedOver(): unknown {
  // Not left to the exit: many of these programs are killed.
  flushCompileCache()
  return JSON.parse(process.argv[2] ?? 'null')
}

interface Whereabouts {
  readonly url: string
  readonly store: MillraceOptions
}

/** Opens a Millrace on the database of the parent's test. */
export async function openParentsMill(options: MillraceOptions = {}): Promise<Millrace> {
  const { url, store } = handedOver() as Whereabouts
  return openMillrace(url, { ...store, ...options })
}

/** Waits for what the parent tells, as long as it takes: the parent has the time-out. */
export async function hearParent<Facts = unknown>(name: string, nth: number = 1): Promise<Facts> {
  process.channel?.ref()
  try {
    return await fromParent.hear<Facts>(name, { nth, ms: 3_600_000 })
  } finally {
    process.channel?.unref()
  }
}

export function tellParent(name: string, facts: unknown = null): void {
  process.send?.({ name, facts } satisfies Message)
}
