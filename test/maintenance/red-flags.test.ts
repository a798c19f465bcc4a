import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'

import { defineJob } from '../../src/client/define-job.ts'
import type { EndedJob, EntityProbe, EntityStatus } from '../../src/core/entity-status.ts'
import type { RedFlag } from '../../src/core/red-flags.ts'
import { redFlagWatch } from '../../src/maintenance/red-flags.ts'
import type { Logger, LogFields } from '../../src/runtime/logger.ts'
import type { Service } from '../../src/runtime/service.ts'
import { handle } from '../../src/worker/handler.ts'
import { openWorkplace } from '../worker/open-workplace.ts'
import type { Workplace } from '../worker/open-workplace.ts'

const book = defineJob('book', { service: 'tests' })
const MINUTE = 60_000

interface Watched extends Workplace {
  readonly watch: Service<readonly RedFlag[]>
  readonly warnings: { readonly message: string; readonly fields: LogFields }[]
}

async function openWatched(context: TestContext, probe: EntityProbe | null = null): Promise<Watched> {
  const place = await openWorkplace(context)
  const warnings: Watched['warnings'] = []
  const logger: Logger = {
    info: () => undefined,
    warn: (message, fields = {}) => warnings.push({ message, fields }),
    error: () => undefined,
  }
  const probes = new Map(probe === null ? [] : [[book.name, probe]])
  const { store, runtime } = place
  const watch = redFlagWatch({ store, runtime, logger, probes: () => probes })
  context.after(() => watch.stop())
  return { ...place, watch, warnings }
}

async function finishBook({ start, enqueue }: Watched): Promise<string> {
  const worker = await start([handle(book, ({ input }) => input)], { manual: true })
  const id = await enqueue(book, { isbn: 7 }, { tenant: 'acme', labels: { shelf: 'b' } })
  await worker.runOnce()
  await worker.stop()
  return id
}

test('a flag is logged when two passes have seen it, once, and again after it was gone', async (context) => {
  const watched = await openWatched(context)
  const { watch, warnings, runtime, enqueue, start } = watched
  await enqueue(book)
  watch.start()
  await runtime.advance(1)
  assert.equal((await watch.runOnce()).length, 1)
  assert.equal(warnings.length, 0)
  await runtime.advance(5 * MINUTE)
  assert.deepEqual(
    warnings.map(({ message, fields }) => [message, fields['code']]),
    [['Jobs of the type "book" wait, and no service has registered it.', 'red-flag:no-owner']],
  )
  const worker = await start([handle(book, () => null)])
  await runtime.advance(5 * MINUTE)
  await worker.stop()
  assert.equal(warnings.length, 1)
  await enqueue(book)
  await runtime.advance(5 * MINUTE)
  assert.deepEqual(
    warnings.map(({ fields }) => fields['code']),
    ['red-flag:no-owner', 'red-flag:no-worker'],
  )
})

test('an entity that is unfinished a while after its job is a red flag, until it is finished', async (context) => {
  const asked: EndedJob[] = []
  let answer: EntityStatus = { final: false, status: 'PROCESSING' }
  const watched = await openWatched(context, async (job) => {
    asked.push(job)
    return answer
  })
  const { watch, runtime } = watched
  const jobId = await finishBook(watched)
  assert.deepEqual(await watch.runOnce(), [])
  assert.deepEqual(asked, [])
  await runtime.advance(10_000)
  const [flag, ...others] = await watch.runOnce()
  assert.deepEqual([flag?.code, flag?.jobId, others], ['entity-unfinished', jobId, []])
  assert.match(flag?.message ?? '', /still "PROCESSING"/)
  assert.deepEqual(asked, [
    {
      jobId,
      type: 'book',
      state: 'completed',
      tenant: 'acme',
      owner: null,
      labels: { shelf: 'b' },
      input: { isbn: 7 },
      output: { isbn: 7 },
    },
  ])
  assert.equal((await watch.runOnce()).length, 1)
  assert.equal(asked.length, 2)
  answer = { final: true, status: 'READY' }
  assert.deepEqual(await watch.runOnce(), [])
  assert.deepEqual(await watch.runOnce(), [])
  assert.equal(asked.length, 3)
})

test('the flag of an entity is told by processes that have no handler for it', async (context) => {
  const watched = await openWatched(context, () => ({ final: false, status: 'PROCESSING' }))
  const { watch, runtime, store } = watched
  await finishBook(watched)
  await runtime.advance(10_000)
  await watch.runOnce()
  const logger = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const elsewhere = redFlagWatch({ store, runtime, logger, probes: () => new Map() })
  const flags = await elsewhere.runOnce()
  assert.deepEqual(
    flags.map(({ code }) => code),
    ['entity-unfinished'],
  )
})

test('however many entities are unfinished, each has its turn to be asked about', async (context) => {
  const asked = new Set<string>()
  const watched = await openWatched(context, ({ jobId }) => {
    asked.add(jobId)
    return { final: false, status: 'PROCESSING' }
  })
  const { watch, runtime } = watched
  for (let count = 0; count < 25; count += 1) await finishBook(watched)
  await runtime.advance(10_000)
  await watch.runOnce()
  await watch.runOnce()
  assert.equal(asked.size, 25)
})

for (const [what, probe] of [
  [
    'throws',
    () => {
      throw new RangeError('no shelf')
    },
  ],
  ['never answers', () => new Promise<EntityStatus>(() => {})],
] as const satisfies readonly (readonly [string, EntityProbe])[]) {
  test(`a question that ${what} is logged, and holds up nothing`, async (context) => {
    const watched = await openWatched(context, probe)
    const { watch, runtime, warnings } = watched
    const jobId = await finishBook(watched)
    await runtime.advance(10_000)
    const pass = watch.runOnce()
    await runtime.advance(5_000)
    assert.deepEqual(await pass, [])
    assert.deepEqual(
      warnings.map(({ fields }) => fields['jobId']),
      [jobId],
    )
  })
}

test('a type that few jobs have is looked at beside one that many have', async (context) => {
  const { start, enqueue, watch } = await openWatched(context)
  const rare = defineJob('rare', { service: 'tests', expect: { minDuration: '1m' } })
  const busy = defineJob('busy', { service: 'tests' })
  const worker = await start([handle(rare, () => 1), handle(busy, () => 1)], { manual: true, concurrency: 1_000 })
  await enqueue(rare)
  await worker.runOnce()
  for (let count = 0; count < 600; count += 1) await enqueue(busy)
  assert.equal((await worker.runOnce()).completed, 600)
  await worker.stop()
  assert.deepEqual(
    (await watch.runOnce()).map(({ code, type }) => [code, type]),
    [['too-fast', 'rare']],
  )
})
