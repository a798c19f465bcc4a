/** Starting a worker: everything is checked and registered before anything is taken. */
import { hostname } from 'node:os'
import { parseDuration } from '../core/duration.ts'
import type { Duration } from '../core/duration.ts'
import { InvalidInputError, MillraceError } from '../core/errors.ts'
import { DEFAULTS, LIMITS } from '../core/limits.ts'
import type { Logger } from '../runtime/logger.ts'
import { machineProcesses } from '../runtime/processes.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { safeLogger } from '../runtime/safe-logger.ts'
import { storeClosed } from '../store/refusals.ts'
import type { Store } from '../store/store.ts'
import { checkIsolation } from './handler.ts'
import type { Handler } from './handler.ts'
import { openCells } from './isolation/open-cells.ts'
import { Worker } from './worker.ts'

export interface WorkOptions {
  /** How many jobs run at a time: 1 to 10,000, default 10. */
  readonly concurrency?: number
  /** After this long without a sign of life from the worker its jobs are given to others. 100 ms or more, default `'30s'`. */
  readonly lease?: Duration
  /** How long `stop()` may take in all. Default `'30s'`. */
  readonly drain?: Duration
  /** Handlers that may run on after their jobs have ended without them; one more, and the worker stops. Default: `concurrency`. */
  readonly maxAbandonedSlots?: number
  /** Where the file is that threads and processes of isolated handlers run, for bundlers that lose it. Default: beside Millrace's own files. */
  readonly handlerThreadFile?: string | URL
  /** Take jobs only when `runOnce()` is called; for tests. Default false. */
  readonly manual?: boolean
}

export interface StartWorkerOptions extends WorkOptions {
  readonly store: Store
  readonly runtime: Runtime
  readonly logger: Logger
  /** The service that the worker belongs to. */
  readonly service: string
  /** Of the service's program. Default: none is told. */
  readonly version?: string | null
  readonly handlers: readonly Handler[]
  /** When it fires, nothing is started. Default: it never does. */
  readonly signal?: AbortSignal
}

const LEAST_LEASE_MS = 100

/**
 * Registers the types of the handlers, opens a session and begins to take jobs.
 *
 * @throws InvalidInputError for an option; MillraceError `handler-incomplete`, `isolation-unavailable`, `handler-unloadable`,
 *   `thread-missing`, `owner-conflict` if another service owns one of the types, or `store-closed` if the signal fired. Nothing is started then.
 */
export async function startWorker(options: StartWorkerOptions): Promise<Worker> {
  const { store, runtime, service, version = null } = options
  const { concurrency = DEFAULTS.concurrency, maxAbandonedSlots = concurrency, manual = false } = options
  checkWhole(concurrency, { path: 'concurrency', least: 1, most: LIMITS.concurrency })
  checkWhole(maxAbandonedSlots, { path: 'maxAbandonedSlots', least: 0, most: LIMITS.concurrency })
  const leaseMs = parseDuration(options.lease ?? DEFAULTS.leaseMs, 'lease')
  checkWhole(leaseMs, { path: 'lease', least: LEAST_LEASE_MS, most: Number.MAX_SAFE_INTEGER })
  const drainMs = parseDuration(options.drain ?? DEFAULTS.drainMs, 'drain')
  const { own } = machineProcesses()
  const handlers = byType(options.handlers, service)
  const cells = await openCells(handlers.values(), {
    runtime,
    most: concurrency,
    threadFile: options.handlerThreadFile,
    signal: options.signal,
  })
  try {
    const { epoch } = await register(store, service, handlers)
    const types = [...handlers.keys()]
    const worker = new Worker({
      store,
      runtime,
      logger: safeLogger(options.logger),
      handlers,
      cells,
      session: {
        service,
        host: hostname(),
        pid: process.pid,
        leaseMs,
        concurrency,
        types,
        epoch,
        version,
        ...(own === null ? {} : { process: own }),
      },
      drainMs,
      maxAbandonedSlots,
      manual,
    })
    refuseClosed(options.signal)
    await worker.open()
    if (options.signal?.aborted === true) await worker.stop()
    refuseClosed(options.signal)
    return worker
  } catch (error) {
    await cells?.giveUp()
    throw error
  }
}

function refuseClosed(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw storeClosed()
}

interface Range {
  readonly path: string
  readonly least: number
  readonly most: number
}

function checkWhole(number: number, { path, least, most }: Range): void {
  if (Number.isInteger(number) && number >= least && number <= most) return
  throw new InvalidInputError({ path, expected: `a whole number from ${least} to ${most}`, received: `${number}` })
}

function byType(handlers: readonly Handler[], service: string): ReadonlyMap<string, Handler> {
  if (handlers.length === 0) {
    throw new InvalidInputError({ path: 'handlers', expected: 'at least one handler', received: 'none' })
  }
  const types = new Map<string, Handler>()
  for (const [index, handler] of handlers.entries()) {
    checkHandler(handler, index)
    const { name, service: owner } = handler.definition
    checkComplete(handler)
    if (owner !== service) throw notDefinedForUs({ type: name, owner, service })
    if (types.has(name)) {
      throw new InvalidInputError({
        path: 'handlers',
        expected: 'one handler for each type',
        received: `two for ${name}`,
      })
    }
    types.set(name, handler)
  }
  return types
}

function checkHandler(handler: unknown, index: number): void {
  if (typeof handler === 'object' && handler !== null && 'definition' in handler && 'functions' in handler) return
  throw new InvalidInputError({
    path: `handlers[${index}]`,
    expected: 'a handler made by handle()',
    received: typeof handler,
  })
}

/** The compiler says so too, unless it was told to look away. */
function checkComplete({ definition, missing, isolation }: Handler): void {
  const names: readonly string[] = missing
  if (names.length > 0) {
    throw new MillraceError(
      'handler-incomplete',
      `The handler of ${definition.name} has no function for ${names.join(', ')}. Add .phase('${names[0] ?? ''}', …) to it.`,
      { details: { type: definition.name, missing: names } },
    )
  }
  checkIsolation(isolation, definition.name)
}

async function register(
  store: Store,
  service: string,
  handlers: ReadonlyMap<string, Handler>,
): Promise<{ readonly epoch: number }> {
  const registrations = [...handlers.values()].map(({ definition: { name: type, queue, policy } }) => ({
    type,
    queue,
    policy,
  }))
  const registered = await store.jobTypes.register(service, registrations)
  if (registered.accepted) return registered
  throw ownerConflict({ type: registered.type, owner: registered.service, service })
}

interface OwnerConflict {
  readonly type: string
  readonly owner: string
  readonly service: string
}

/** The store knows another owner. */
function ownerConflict({ type, owner, service }: OwnerConflict): MillraceError {
  const command = `millrace owners transfer ${type} --from ${owner} --to ${service}`
  return new MillraceError(
    'owner-conflict',
    `The type ${type} is owned by the service "${owner}", and this worker belongs to "${service}". Nothing was started. ` +
      `A type has one service. To hand it over, which ends the work of "${owner}" on it, run\n  ${command}\n` +
      `or open Millrace as service "${owner}".`,
    { details: { type, owner, service, command } },
  )
}

/** The definition itself names another service. */
function notDefinedForUs({ type, owner, service }: OwnerConflict): MillraceError {
  return new MillraceError(
    'owner-conflict',
    `The type ${type} is defined for the service "${owner}", and this worker belongs to "${service}". Nothing was started. ` +
      `Open Millrace as service "${owner}", or name "${service}" in the definition.`,
    { details: { type, owner, service } },
  )
}
