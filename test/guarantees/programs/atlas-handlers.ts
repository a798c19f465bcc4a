/** One and the same handler for each isolation: what it does must come to the same everywhere. */
import { z } from 'zod'

import { defineJob } from '../../../src/client/define-job.ts'
import { handle } from '../../../src/worker/handler.ts'
import type { Handler, Isolation, PhaseFunction } from '../../../src/worker/handler.ts'
import type { HandlerContext } from '../../../src/worker/handler-context.ts'

export const ISOLATIONS: readonly Isolation[] = ['inline', 'thread', 'process']

class PaperJam extends Error {
  override readonly name = 'PaperJam'
  readonly code = 'E_JAM'
}

const service = 'atlas'
const phases = ['load', 'draw', 'bind']
const drawn = z.object({ region: z.string(), printedAt: z.iso.datetime().transform((text) => new Date(text)) })
const retry = { maxAttempts: 1 } as const
const rules = [{ name: 'jam', test: (error: unknown) => (error instanceof PaperJam ? 'fatal' : undefined) }] as const

export const ATLAS = byIsolation((isolation) =>
  defineJob(`atlas.${isolation}`, { service, phases, input: drawn, retry }),
)
export const FAILING = byIsolation((isolation) =>
  defineJob(`atlas.failing-${isolation}`, { service, retry, rules, output: z.strictObject({ pages: z.number() }) }),
)

function byIsolation<Made>(make: (isolation: Isolation) => Made): Readonly<Record<Isolation, Made>> {
  return { inline: make('inline'), thread: make('thread'), process: make('process') }
}

/** Larger than what travels at a time. */
const BYTES = 2_500_000

async function* bytes(): AsyncGenerator<Uint8Array> {
  for (let left = BYTES; left > 0; left -= 1_250_000) yield new Uint8Array(1_250_000).fill(left % 251)
}

/** What each of the acts throws, by its code; `null` where it does not. */
async function codesOf(acts: Readonly<Record<string, () => unknown>>): Promise<Readonly<Record<string, unknown>>> {
  const codes: Record<string, unknown> = {}
  for (const [name, act] of Object.entries(acts)) {
    try {
      await act()
      codes[name] = null
    } catch (error) {
      const { name: className, code, message } = error as Error & { readonly code?: unknown }
      codes[name] = [className, code, message]
    }
  }
  return codes
}

const load = ({
  input,
  tenant,
  owner,
  labels,
  attempt,
  generation,
  phase,
  fence,
  log,
  progress,
}: HandlerContext): unknown => {
  const { region, printedAt } = input as z.infer<typeof drawn>
  progress(50, { page: 1 })
  log.warn('careful', { page: 1, left: undefined, out: () => region })
  return { region, isDate: printedAt instanceof Date, tenant, owner, labels, attempt, generation, phase, fence }
}

const draw = async ({ results, artifact, extend }: HandlerContext): Promise<unknown> => {
  await extend('1h')
  const {
    artifactId: _id,
    expiresAt,
    ...file
  } = await artifact.write('map.bin', bytes(), {
    contentType: 'image/map',
    metadata: { pages: 2 },
    expiresIn: '1h',
  })
  const seen = (results as { readonly load: { region: string } }).load
  seen.region = 'changed by the phase that got it'
  const text = await artifact.write('legend.txt', 'Küste, Höhen')
  return { file, expires: expiresAt !== null, text: [text.contentType, text.sizeBytes, text.sha256] }
}

const bind = async ({ results, artifact, extend, progress, log, jobId }: HandlerContext): Promise<unknown> => {
  log.info('x'.repeat(5_000))
  progress(50)
  progress(20)
  const thrown = await codesOf({
    progress: () => progress(101),
    context: () => progress(60, (() => 0) as never),
    extend: () => extend(0),
    again: () => artifact.write('twice.txt', '1').then(() => artifact.write('twice.txt', '2')),
    name: () => artifact.write('../map.bin', 'no'),
    metadata: () => artifact.write('m.bin', 'no', { metadata: { f: (() => 0) as never } }),
    body: () => artifact.write('b.bin', 7 as never),
    broken: () => artifact.write('c.bin', brokenStream()),
  })
  const texts = JSON.stringify(thrown).replaceAll(jobId, 'this job')
  return { loaded: (results as { readonly load: object }).load, thrown: JSON.parse(texts) as unknown }
}

async function* brokenStream(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(10)
  throw new TypeError('the press is out of ink')
}

export type Failure = 'own' | 'http' | 'text' | 'nothing' | 'output' | 'bytes' | 'cause'

export const FAILURES: Readonly<Record<Failure, () => unknown>> = {
  own: () => {
    throw new PaperJam('paper not found')
  },
  http: () => {
    throw Object.assign(new Error('slow down'), { status: 429, headers: { 'retry-after': '7' } })
  },
  text: () => {
    // oxlint-disable-next-line typescript/only-throw-error -- handlers throw what they like
    throw 'no more paper'
  },
  // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- handlers reject with what they like
  nothing: () => Promise.reject<unknown>(),
  output: () => ({ pages: 'many' }),
  bytes: () => new Uint8Array(3),
  cause: () => {
    throw new Error('it did not work', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) })
  },
}

const fail = ({ input, progress }: HandlerContext): unknown => {
  progress(30, { sheet: 4 })
  return FAILURES[input as Failure]()
}

export const HANDLERS: readonly Handler[] = ISOLATIONS.flatMap((isolation) => {
  const at = { module: import.meta.url, isolation }
  return [
    {
      ...handle(ATLAS[isolation], at),
      missing: [],
      functions: new Map<string, PhaseFunction>([
        ['load', load],
        ['draw', draw],
        ['bind', bind],
      ]),
    },
    { ...handle(FAILING[isolation], at), missing: [], functions: new Map<string, PhaseFunction>([['run', fail]]) },
  ]
})
