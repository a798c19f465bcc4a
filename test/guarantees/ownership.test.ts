/** A job type has one service, whatever others try, until it is handed over. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ConflictError, defineJob, handle } from '../../src/index.ts'
import type { JobAttempt, Millrace, RedFlagCode } from '../../src/index.ts'
import type { ChildProgram } from '../support/child-program.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import { drawMap, drawMapHandler } from './programs/owned-jobs.ts'
import type { DrawnBy } from './programs/owned-jobs.ts'

interface Refused {
  readonly code: string
  readonly message: string
  readonly sessions: number
}

const TYPE = 'map.draw'
/** Definitions as producers have them: whose they are counts for nothing. */
const produced = drawMap('maps')

async function draw(mill: Millrace, count: number): Promise<readonly string[]> {
  const results = await mill.enqueueMany(Array.from({ length: count }, () => ({ definition: produced, input: null })))
  return results.map(({ job }) => job.id)
}

/** Who worked on each, with the proof that it was begun once. */
async function drawnBy(mill: Millrace, ids: readonly string[]): Promise<readonly DrawnBy[]> {
  const done: DrawnBy[] = []
  for (const id of ids) {
    const { state, output, attempts } = await mill.waitFor(id)
    const [attempt, ...more]: readonly JobAttempt[] = attempts
    assert.deepEqual([state, more], ['completed', []])
    const drawn = output as DrawnBy
    assert.equal(attempt?.worker?.service, drawn.service)
    assert.equal(attempt?.worker?.pid, drawn.pid)
    done.push(drawn)
  }
  return done
}

function services(done: readonly DrawnBy[]): readonly string[] {
  return [...new Set(done.map(({ service }) => service))]
}

async function flagCodes(mill: Millrace): Promise<readonly RedFlagCode[]> {
  return (await mill.redFlags()).map(({ code }) => code)
}

async function stop(child: ChildProgram): Promise<void> {
  child.tell('stop')
  await child.hear('stopped')
}

test('a second service is refused at its start as a whole, with the line that would hand the type over', async (context) => {
  const { mill, start } = await openTestMill(context)
  const maps = start('type-owner', { service: 'maps' })
  await maps.hear('ready')
  const atlas = start('type-owner', { service: 'atlas' })
  const { code, message, sessions } = await atlas.hear<Refused>('refused')
  assert.equal(code, 'owner-conflict')
  assert.match(message, /owned by the service "maps"/)
  assert.match(message, /^ {2}millrace owners transfer map\.draw --from maps --to atlas$/m)
  assert.equal(sessions, 1)
  assert.equal(await mill.getJobOwner(TYPE), 'maps')
  assert.deepEqual(services(await drawnBy(mill, await draw(mill, 5))), ['maps'])
  const [flag, ...others] = await mill.redFlags()
  assert.deepEqual([flag?.code, flag?.type, flag?.service, others], ['two-services', TYPE, 'atlas', []])
})

test('nobody takes jobs by enqueuing, and a worker takes those only that it has a handler for', async (context) => {
  const { mill, work, open } = await openTestMill(context, { service: 'maps' })
  const producer = await open({ service: 'shop' })
  const [drawing] = await draw(producer, 1)
  const other = defineJob('map.print', { service: 'maps' })
  const worker = await work([handle(other, () => 'printed')])
  assert.equal(await mill.run(other, null), 'printed')
  await worker.idle()
  assert.ok(drawing !== undefined)
  assert.equal((await mill.get(drawing)).state, 'queued')
  assert.deepEqual(await flagCodes(mill), ['no-owner'])
  assert.deepEqual(
    (await producer.workers()).map(({ types }) => types),
    [['map.print']],
  )
  assert.deepEqual(await mill.getProcessorsByJobType(TYPE), [])
  assert.deepEqual((await mill.explain(drawing)).reasons[0]?.code, 'no-owner')
  const drawer = await work([drawMapHandler(produced)])
  await drawnBy(mill, [drawing])
  await drawer.stop({ timeout: '20s' })
  const [later] = await draw(mill, 1)
  assert.ok(later !== undefined)
  assert.equal((await mill.explain(later)).reasons[0]?.code, 'worker-lacks-type')
  assert.deepEqual(await flagCodes(mill), ['no-worker'])
})

test('two versions of a service work beside each other during a deploy, and the newest definition counts', async (context) => {
  const { mill, start } = await openTestMill(context)
  const first = start('type-owner', { service: 'maps', version: '1' })
  await first.hear('ready')
  const [owned] = await mill.owners()
  const second = start('type-owner', { service: 'maps', version: '2' })
  await second.hear('ready')
  const processors = await mill.getProcessorsByJobType(TYPE, 'maps')
  assert.deepEqual(new Set(processors.map(({ version }) => version)), new Set(['1', '2']))
  assert.deepEqual(await mill.getProcessorsByJobType(TYPE, 'atlas'), [])
  await stop(first)
  const done = await drawnBy(mill, await draw(mill, 5))
  assert.deepEqual([...new Set(done.map(({ version }) => version))], ['2'])
  const [now] = await mill.owners()
  assert.deepEqual([now?.epoch, now?.since, now?.liveWorkers], [owned?.epoch, owned?.since, 1])
  assert.ok((now?.registeredAt ?? 0) > (owned?.registeredAt ?? 0))
})

test('a type is handed over by another process while both services run: each job is done once, by the right one', async (context) => {
  const { mill, work, open, command } = await openTestMill(context, { service: 'maps' })
  const entered = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const held = defineJob(TYPE, { service: 'maps' })
  const drawing = handle(held, async () => {
    entered.resolve()
    await release.promise
    return { service: 'maps', version: null, pid: process.pid }
  })
  await work([drawing], { concurrency: 1 })
  const [begun] = await draw(mill, 1)
  assert.ok(begun !== undefined)
  await entered.promise
  const waiting = await draw(mill, 5)
  const transfer = command('owners', 'transfer', TYPE, '--from', 'maps', '--to', 'atlas', '--actor', 'ann')
  await transfer.printed('belongs to atlas now')
  // What it had begun is its own until the end; what waits is not, although it has a free slot now.
  release.resolve()
  assert.deepEqual(services(await drawnBy(mill, [begun])), ['maps'])
  const atlasMill = await open({ service: 'atlas' })
  await atlasMill.work([drawMapHandler(drawMap('atlas'))])
  const later = await draw(mill, 5)
  assert.deepEqual(services(await drawnBy(mill, [...waiting, ...later])), ['atlas'])
  const [owner] = await mill.owners()
  assert.deepEqual(
    [owner?.service, owner?.transfer, owner?.liveWorkers],
    ['atlas', { from: 'maps', by: 'ann', reason: null }, 1],
  )
})

test('a type that has come back is worked on by workers that were started since, not by older ones', async (context) => {
  const { mill, work } = await openTestMill(context, { service: 'maps' })
  const old = await work([drawMapHandler(produced, 'old')])
  await drawnBy(mill, await draw(mill, 1))
  await mill.transferOwner(TYPE, { from: 'maps', to: 'atlas' })
  const back = await mill.transferOwner(TYPE, { from: 'atlas', to: 'maps', actor: 'ann', reason: 'a mistake' })
  assert.deepEqual([back.service, back.liveWorkers, back.transfer?.reason], ['maps', 0, 'a mistake'])
  const ids = await draw(mill, 3)
  await old.idle()
  assert.deepEqual((await mill.explain(ids[0] ?? '')).reasons[0]?.code, 'worker-outdated')
  assert.deepEqual(await flagCodes(mill), ['no-worker'])
  await work([drawMapHandler(produced, 'new')])
  const done = await drawnBy(mill, ids)
  assert.deepEqual([...new Set(done.map(({ version }) => version))], ['new'])
  assert.deepEqual(await flagCodes(mill), [])
})

test('only the present owner can be asked for a type, and nobody owns it for being idle', async (context) => {
  const { mill, work, dump } = await openTestMill(context, { service: 'maps' })
  const worker = await work([drawMapHandler(produced)])
  await worker.stop({ timeout: '20s' })
  const before = await dump()
  await assert.rejects(mill.transferOwner(TYPE, { from: 'atlas', to: 'shop' }), (error) => {
    assert.ok(error instanceof ConflictError)
    assert.equal(error.code, 'owner-conflict')
    assert.deepEqual(error.details, { type: TYPE, owner: 'maps', from: 'atlas' })
    return true
  })
  await assert.rejects(mill.transferOwner('no.such', { from: 'atlas', to: 'shop' }), { code: 'owner-conflict' })
  await assert.rejects(mill.transferOwner(TYPE, { from: 'maps', to: 'maps' }), { code: 'option-invalid' })
  await assert.rejects(mill.transferOwner(TYPE, { from: 'maps', to: 'a b' }), { code: 'name-invalid' })
  assert.deepEqual(await dump(), before)
  // A service that is gone stays the owner.
  assert.equal(await mill.getJobOwner(TYPE), 'maps')
  assert.equal(await mill.getJobOwner('no.such'), null)
})

test('jobs that end too fast or without the output that was declared are red flags', async (context) => {
  const { mill, work } = await openTestMill(context, { service: 'maps' })
  const hasty = defineJob('map.hasty', { service: 'maps', expect: { minDuration: '1m' } })
  const anything = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } } as const
  const empty = defineJob('map.empty', { service: 'maps', output: anything })
  await work([handle(hasty, () => 'done'), handle(empty, () => null)])
  await mill.run(hasty, null)
  await mill.run(empty, null)
  assert.deepEqual(
    (await mill.redFlags()).map(({ code, type }) => [code, type]),
    [
      ['no-output', 'map.empty'],
      ['too-fast', 'map.hasty'],
    ],
  )
})
