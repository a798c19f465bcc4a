/** A smithy whose handlers run in threads and processes, and what must hold of one that was ended by force. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { TestContext } from 'node:test'

import type { Job, JobAttempt, JobDefinition, Worker, WorkOptions } from '../../src/index.ts'
import { COMPILE_CACHE } from '../support/child-program.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import type { TestMill } from '../support/open-test-mill.ts'
import { Announcements, nextTurn, within } from '../support/wait-for-event.ts'
import { HANDLERS, JOBS } from './programs/smithy-handlers.ts'
import type { Act, IsolatedKind, Whereabouts } from './programs/smithy-handlers.ts'

// Threads and processes that run handlers have it from here.
process.env['NODE_COMPILE_CACHE'] ??= COMPILE_CACHE

export const KINDS = ['thread', 'process'] as const

export interface Smithy extends TestMill {
  readonly worker: Worker
  /** Enqueues a job and waits until its handler is at it. */
  readonly begin: (kind: IsolatedKind, act: Act, jobs?: SmithyJobs) => Promise<Begun>
}

export interface Begun {
  readonly id: string
  readonly at: Whereabouts
}

type SmithyJobs = Readonly<Record<IsolatedKind, JobDefinition>>

export interface SmithyOptions extends WorkOptions {
  /** Where its handlers run: one of them is enough for most tests. */
  readonly kinds?: readonly IsolatedKind[]
}

/** One slot, so that a job that does not let go of it would hold up the next. */
export async function openSmithy(
  context: TestContext,
  { kinds = KINDS, ...work }: SmithyOptions = {},
): Promise<Smithy> {
  const opened = await openTestMill(context)
  const { mill } = opened
  const announce = new Announcements()
  await mill.subscribe(({ name, jobId, detail }) => {
    if (name === 'job:log' && detail['message'] === 'at it') announce.tell(jobId, detail['fields'])
  })
  const handlers = HANDLERS.filter(({ isolation }) => kinds.some((kind) => kind === isolation))
  const worker = await opened.work(handlers, { concurrency: 1, ...work })
  return {
    ...opened,
    worker,
    begin: async (kind, act, jobs = JOBS) => {
      const { job } = await mill.enqueue(jobs[kind], act)
      return { id: job.id, at: await announce.hear<Whereabouts>(job.id) }
    },
  }
}

/** Waits for the job's end, and for its handler's; answers the job with its latest attempt. */
export async function endOf(
  { mill, worker }: Pick<Smithy, 'mill' | 'worker'>,
  { id }: { readonly id: string },
): Promise<{ readonly job: Job; readonly attempt: JobAttempt }> {
  if (worker.state === 'running') await mill.waitFor(id)
  if (worker.state === 'running') await worker.idle()
  const job = await mill.get(id)
  const attempt = job.attempts.at(-1)
  assert.ok(attempt !== undefined)
  return { job, attempt }
}

/** The next job runs, and not where the last one was ended. */
export async function assertGoesOn({ mill }: Smithy, kind: IsolatedKind, ended?: Whereabouts): Promise<Whereabouts> {
  const where = (await mill.run(JOBS[kind], 'where')) as unknown as Whereabouts
  assert.notDeepEqual(where, ended)
  return where
}

/** Processes that run, with their parents; only where there is /proc. */
function hasProcess(pid: number): boolean {
  try {
    // One that has ended and was not collected by its parent runs no more.
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** The processes that a process has started, and that run. */
export function childrenOf(pid: number): readonly number[] {
  const listed = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return listed.split(' ').filter(Boolean).map(Number).filter(hasProcess)
}

export async function gone(pid: number): Promise<void> {
  await within(
    `the end of process ${pid}`,
    (async () => {
      while (hasProcess(pid)) await nextTurn()
    })(),
  )
}
