/** Handlers that never end and heed nothing: one in the worker's own thread, one in a thread and one in a process that they hold up. */
import { defineJob, handle } from '../../../src/index.ts'
import type { Handler, Isolation, JobDefinition } from '../../../src/index.ts'

type Stubborn = JobDefinition

function stubborn(isolation: Isolation): Stubborn {
  return defineJob(`mule.${isolation}`, { service: 'stable', cancelGrace: '100ms' })
}

export const MULES: Readonly<Record<Isolation, Stubborn>> = {
  inline: stubborn('inline'),
  thread: stubborn('thread'),
  process: stubborn('process'),
}

export const muleHandler: Handler = handle(MULES.inline).phase('run', async ({ progress }) => {
  progress(1)
  await new Promise<never>(() => undefined)
})

function spinning(definition: Stubborn, isolation: Isolation): Handler {
  return handle(definition, { module: import.meta.url, isolation }).phase('run', ({ progress }) => {
    progress(1)
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
  })
}

export const threadMuleHandler: Handler = spinning(MULES.thread, 'thread')
export const processMuleHandler: Handler = spinning(MULES.process, 'process')
