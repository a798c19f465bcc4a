/** The jobs of the programs that are killed, and of those that look after what they left. */
import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { defineJob, handle } from '../../../src/index.ts'
import type { Handler, HandlerContext } from '../../../src/index.ts'
import type { Note } from '../../support/history-checker.ts'
import { take } from '../../support/wait-for-event.ts'

const retry = { maxAttempts: 1_000, backoff: { base: '10ms', max: '100ms' } } as const

/** So many of their workers die that no job may be suspected of it. */
const maxStrikes = 100

/** Three phases; a flaky one fails now and then and is tried again. */
export const grain = defineJob('grain.mill', {
  service: 'mill',
  phases: ['clean', 'grind', 'sift'],
  retry,
  maxStrikes,
})

/** One phase, over at once. */
export const sack = defineJob('sack.weigh', { service: 'mill', retry, maxStrikes })

/** Fails for good with its third failure. */
export const mouldy = defineJob('grain.mouldy', {
  service: 'mill',
  retry: { maxAttempts: 3, backoff: { base: '5ms', max: '5ms' } },
  maxStrikes,
})

export interface GrainInput {
  readonly flaky: boolean
  readonly slow: boolean
}

/** A handler was in a phase, whatever the store made of it. */
export interface Effect extends Note {
  /** Of the process that it ran in. */
  readonly pid: number
}

/** What a phase leaves behind if it is accepted: which claim it ran under. A type, so that it counts as JSON. */
export type Mark = { readonly phase: string; readonly fence: number }

export interface EffectLog {
  /** Where each process has a file of its own: lines of JSON. */
  readonly folder: string
  /** Called when a phase has begun. */
  readonly onEnter: () => void
}

type Running = Pick<HandlerContext, 'jobId' | 'fence' | 'phase' | 'attempt' | 'input' | 'log'>

const SLOW_MS = 40
const NS_PER_MS = 1e6

export function millHandlers({ folder, onEnter }: EffectLog): readonly Handler[] {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${process.pid}.jsonl`)
  const note = ({ jobId, attempt, fence, phase }: Running, moment: Effect['moment']): void => {
    // One clock for all processes, which is not set.
    const at = Number(process.hrtime.bigint()) / NS_PER_MS
    const effect: Effect = { jobId, attempt, fence, phase, moment, at, pid: process.pid }
    appendFileSync(file, `${JSON.stringify(effect)}\n`)
  }
  const step = async (running: Running): Promise<Mark> => {
    const { flaky, slow } = running.input as GrainInput
    note(running, 'enter')
    onEnter()
    // Whoever reads the log can tell under which claim it was written.
    if (running.phase === 'grind') running.log.info('the stone turns', { fence: running.fence })
    if (slow) await take(SLOW_MS)
    if (flaky && running.phase === 'grind' && running.attempt % 2 === 1) throw new Error('the stone has slipped')
    note(running, 'leave')
    return { phase: running.phase, fence: running.fence }
  }
  return [
    handle(grain)
      .phase('clean', (running) => step(running))
      .phase('grind', (running) => step(running))
      .phase('sift', (running) => step(running)),
    handle(sack, (running) => step(running)),
    handle(mouldy, async (running) => {
      await step(running)
      throw new Error('nobody wants this')
    }),
  ]
}
