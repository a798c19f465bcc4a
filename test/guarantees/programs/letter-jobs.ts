/** A letter in two phases, for programs that lose it while they write. */
import { defineJob } from '../../../src/index.ts'
import type { HandlerContext } from '../../../src/index.ts'

export const letter = defineJob('letter.write', {
  service: 'post',
  phases: ['draft', 'send'],
  cancelGrace: '100ms',
})

/** What a handler may write under its claim. `result`, `completion` and `failure` are how it ends. */
export type LateWrite = 'progress' | 'log' | 'artifact' | 'extend' | 'result' | 'completion' | 'failure'

export const LATE_WRITES: readonly LateWrite[] = [
  'progress',
  'log',
  'artifact',
  'extend',
  'result',
  'completion',
  'failure',
]

/** Makes the write. `undefined`: it did not throw. */
export async function writeLate(job: HandlerContext, write: LateWrite): Promise<unknown> {
  try {
    if (write === 'progress') job.progress(99, { late: true })
    if (write === 'log') job.log.warn('too late')
    if (write === 'artifact') await job.artifact.write('late.txt', 'too late')
    if (write === 'extend') await job.extend('1h')
    return undefined
  } catch (error) {
    return error
  }
}
