/** Handlers that run in threads, for tests of the worker; each thread loads this file. */
import { defineJob } from '../../src/client/define-job.ts'
import { handle } from '../../src/worker/handler.ts'

export const steady = defineJob('steady', { service: 'tests' })

export const steadyHandler = handle(steady, { module: import.meta.url, isolation: 'thread' }).phase('run', () => null)
