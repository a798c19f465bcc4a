/** What is said to and by whoever drives a job by hand: the words of this face, and how they are checked. */
import { types } from 'node:util'
import { encodeJson } from '../core/encode-json.ts'
import { InvalidInputError } from '../core/errors.ts'
import type { Claim } from '../core/job-row.ts'
import { decodeJson } from '../core/json.ts'
import { LIMITS } from '../core/limits.ts'
import { decodeLockId } from '../core/lock-id.ts'
import { parseWith } from '../core/schema.ts'
import type { JobState } from '../core/states.ts'
import type { LockHolder } from '../store/sessions.ts'
import type { JobReference } from './job-values.ts'
import { shown } from './names.ts'
import { checkOptions } from './option-values.ts'

export interface ManagerOptions {
  /** The service that drives the jobs. It must own their types, unless nobody does. Default: that of the Millrace. */
  readonly service?: string
  /** Who drives the jobs, 1 to 200 characters: what others are told who want one of them. Default: the process. */
  readonly actor?: string
}

/** The states of jobs as whoever drives them by hand names them: `processing` is `running`. */
export type ManagedState = Exclude<JobState, 'running'> | 'processing'

export function managedState(state: JobState): ManagedState {
  return state === 'running' ? 'processing' : state
}

export interface ProcessingStarted {
  readonly success: true
  readonly jobId: string
  /** Names the lock, and with it the right to write. Whoever has it may drive the job, from any process. */
  readonly lockId: string
  /** When the lock runs out unless something is written: epoch milliseconds. */
  readonly lockExpiresAt: number
}

/** The job could not be had, and nothing was changed. */
export interface ProcessingRefused {
  readonly success: false
  readonly jobId: string
  readonly state: ManagedState
  /** Who drives it by hand (`by`), or the worker that runs it (`by` is null); null: nobody does. */
  readonly heldBy: LockHolder | null
  /** One sentence for people. */
  readonly message: string
}

/** A write that was accepted. */
export interface Written {
  readonly success: true
  readonly jobId: string
  readonly state: ManagedState
  /** Somebody asked the job to stop: end it soon, before it is cancelled without you. */
  readonly cancelRequested: boolean
}

/** The lock does not hold the job any more, and nothing was written. */
export interface NotWritten {
  readonly success: false
  readonly jobId: string
  readonly reason: 'lease-lost'
}

/** What a job comes to: an output, or an object of the other fields, which then is the output. None of them: null. */
export interface CompletionFields {
  readonly downloadUrl?: string
  readonly filePath?: string
  readonly metadata?: unknown
  readonly r2Key?: string
  /** A `Date` is kept as epoch milliseconds. */
  readonly expiresAt?: Date | number | string
  /** Not together with any of the others. */
  readonly output?: unknown
}

const FIELDS: Readonly<Record<keyof CompletionFields, true>> = {
  downloadUrl: true,
  filePath: true,
  metadata: true,
  r2Key: true,
  expiresAt: true,
  output: true,
}

/** @throws InvalidInputError for what is no id of a lock */
export function claimOf(jobId: string, lockId: unknown): Claim {
  const claim = typeof lockId === 'string' ? decodeLockId(lockId) : null
  if (claim !== null) return { jobId, ...claim }
  throw new InvalidInputError({
    path: 'lockId',
    expected: 'the lockId that startProcessing gave',
    received: shown(lockId),
  })
}

/**
 * The output as JSON text; null: none was said. Where the job is named with its definition, that definition's schema must accept it.
 *
 * @throws InvalidInputError
 */
export async function outputIn(job: JobReference, fields: CompletionFields): Promise<string | null> {
  const { output, ...others } = checkOptions(fields, FIELDS, 'fields')
  const given = Object.entries(others).filter(([, field]) => field !== undefined)
  const [first] = given
  if (output === undefined && first === undefined) return null
  if (output !== undefined && first !== undefined) {
    const expected = 'nothing where there is an output: put it into that'
    throw new InvalidInputError({ path: `fields.${first[0]}`, expected })
  }
  const described = Object.fromEntries(given.map(([name, field]) => [name, storable(field)]))
  const text = encodeJson(output === undefined ? described : output, { path: 'output', limitBytes: LIMITS.resultBytes })
  const schema = typeof job === 'object' ? job.definition?.output : undefined
  await parseWith(schema, decodeJson(text), { path: 'output', code: 'output-invalid' })
  return text
}

function storable(field: unknown): unknown {
  return types.isDate(field) ? field.getTime() : field
}
