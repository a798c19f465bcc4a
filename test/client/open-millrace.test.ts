import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import { checkNodeVersion } from '../../src/client/node-version.ts'
import { defineJob, handle, MillraceError, openMillrace } from '../../src/index.ts'
import type { JobEvent, Millrace, MillraceOptions } from '../../src/index.ts'
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import { writeTree } from '../support/temporary-tree.ts'

const sendMail = defineJob('mail.send', { service: 'workers' })
const exportMap = defineJob('map.export', { service: 'workers', phases: ['load', 'render'] })

async function openInMemory(context: TestContext, options: MillraceOptions = {}): Promise<Millrace> {
  const mill = await openMillrace('sqlite::memory:', options)
  context.after(() => mill.close())
  return mill
}

/** A Millrace on a file, and a connection of the application's own to the same file. */
async function openOnFile(context: TestContext): Promise<{ readonly mill: Millrace; readonly own: DatabaseSync }> {
  const file = join(writeTree(context, {}), 'jobs.db')
  const mill = await openMillrace(`sqlite:${file}`)
  const own = new DatabaseSync(file)
  own.exec('CREATE TABLE orders (n INTEGER PRIMARY KEY, job TEXT)')
  context.after(async () => {
    own.close()
    await mill.close()
  })
  return { mill, own }
}

describe('openMillrace', () => {
  test('runs a job from its definition to its artifact, on a file', async (context) => {
    const root = writeTree(context, {})
    const mill = await openMillrace(`sqlite:${join(root, 'jobs.db')}`, {
      service: 'workers',
      artifacts: join(root, 'made'),
    })
    const handler = handle(exportMap, {})
      .phase('load', ({ input }) => ({ input }))
      .phase('render', async ({ results, artifact }) => {
        await artifact.write('map.txt', JSON.stringify(results.load))
        return { drawn: true }
      })
    await mill.work([handler], { concurrency: 2 })
    assert.deepEqual(await mill.run(exportMap, { region: 'FRA' }), { drawn: true })
    const { jobs } = await mill.list({ type: exportMap })
    const [artifact] = await mill.artifacts(jobs[0] ?? '')
    const opened = await mill.openArtifact(artifact?.id ?? '')
    assert.ok(opened.path?.startsWith(join(root, 'made')))
    assert.equal(Buffer.from(await opened.bytes()).toString(), '{"input":{"region":"FRA"}}')
    const [session] = await mill.workers()
    assert.deepEqual([session?.service, session?.state, session?.pid], ['workers', 'live', process.pid])
    await mill.close()
  })

  const urls: readonly (readonly [string, RegExp])[] = [
    ['postgres:ann:secret@db/jobs', /Write "postgres:\/\/user:password@host/],
    ['postgresql://ann:secret@[db/jobs', /Write "postgres:\/\/user:password@host/],
    ['mysql://ann:secret@db/jobs', /begins with "sqlite:" or "postgres:", not with mysql:/],
    ['./jobs.db', /begins with "sqlite:"/],
    ['sqlite:', /not understood/],
  ]
  for (const [url, message] of urls) {
    test(`refuses the URL ${url.replace('secret', '…')} with a word of what to write, and shows no password`, async () => {
      await assert.rejects(openMillrace(url), (error) => {
        assert.ok(error instanceof MillraceError)
        assert.equal(error.code, 'url-invalid')
        assert.match(error.message, message)
        assert.doesNotMatch(JSON.stringify([error.message, error.details]), /secret/)
        return true
      })
    })
  }

  const options: readonly (readonly [object, string])[] = [
    [{ durabilty: 'full' }, 'options.durabilty'],
    [{ durability: 'none' }, 'durability'],
    [{ service: 'the workers' }, 'service'],
    [{ logger: { info: () => undefined } }, 'logger'],
    [{ thread: 'no' }, 'thread'],
    [{ threadFile: 7 }, 'threadFile'],
    [{ artifacts: '' }, 'artifacts'],
    [{ maintenance: 'always' }, 'maintenance'],
  ]
  for (const [wrong, path] of options) {
    test(`refuses ${JSON.stringify(wrong)}, naming ${path}, before it opens anything`, async (context) => {
      const file = join(writeTree(context, {}), 'jobs.db')
      await assert.rejects(openMillrace(`sqlite:${file}`, wrong), { code: /option-invalid|name-invalid/, path })
      assert.ok(!existsSync(file))
    })
  }

  test('importing the door loads neither SQLite nor anything of the command line', () => {
    const script = `
      import 'millrace'
      const loaded = process.moduleLoadList.filter((name) => /sqlite|commander/.test(name))
      console.log(JSON.stringify(loaded))`
    const args = ['--conditions=millrace-source', '--input-type=module', '--eval', script]
    assert.equal(execFileSync(process.execPath, args, { cwd: import.meta.dirname, encoding: 'utf8' }), '[]\n')
  })
})

describe('a Node that is too old', () => {
  for (const version of [
    '18.20.8',
    '20.19.0',
    '22.22.2',
    '22.9.0',
    '23.11.0',
    '24.0.0',
    '24.14.9',
    '21.0.0',
    '22.5.9',
  ]) {
    test(`as ${version} is refused in one sentence that names the Node to install`, () => {
      assert.throws(
        () => checkNodeVersion(version),
        (error) => {
          assert.ok(error instanceof MillraceError)
          assert.equal(error.code, 'node-too-old')
          assert.match(error.message, /^[^\n]*24\.15[^\n]*install Node 24 from https:\/\/nodejs\.org\.$/)
          assert.ok(error.message.includes(version))
          return true
        },
      )
    })
  }

  for (const version of ['22.22.3', '22.23.0', '24.15.0', '24.21.0', '25.0.0', '26.1.2']) {
    test(`is not ${version}`, () => checkNodeVersion(version))
  }
})

describe('close', () => {
  test('lets running jobs end, tells waiters, and refuses every later call', async () => {
    const mill = await openMillrace('sqlite::memory:')
    const begun = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    await mill.work([
      handle(sendMail, async () => {
        begun.resolve()
        await gate.promise
        return 'sent'
      }),
    ])
    const { job } = await mill.enqueue(sendMail)
    await begun.promise
    const done = mill.waitFor(job)
    const waiting = assert.rejects(mill.waitFor(job, { state: 'failed' }), { code: 'store-closed' })
    const closed = mill.close()
    await assert.rejects(
      mill.work([
        handle(exportMap, {})
          .phase('load', () => 1)
          .phase('render', () => 2),
      ]),
      {
        code: 'store-closed',
      },
    )
    gate.resolve()
    await closed
    assert.equal((await done).output, 'sent')
    await waiting
    await mill.close()
    const calls: readonly (() => Promise<unknown>)[] = [
      () => mill.enqueue(sendMail),
      () => mill.get(job),
      () => mill.list(),
      () => mill.cancel(job),
      () => mill.waitFor(job),
      () => mill.queues(),
      () => mill.pauseQueue('mail.send'),
      () => mill.subscribe(() => undefined),
      () => mill.workers(),
    ]
    for (const call of calls) await assert.rejects(call(), { code: 'store-closed' })
    assert.throws(() => mill.description, { code: 'store-closed' })
  })

  test('is what the end of an await using block does', async () => {
    let outside: Millrace
    {
      await using mill = await openMillrace('sqlite::memory:')
      outside = mill
      await mill.enqueue(sendMail)
    }
    await assert.rejects(outside.list(), { code: 'store-closed' })
  })

  test('closes everything and then throws when a handler does not stop in time', async () => {
    const runtime = virtualRuntime()
    const mill = await openMillrace('sqlite::memory:', { runtime })
    const begun = Promise.withResolvers<void>()
    const deaf = handle(sendMail, async () => {
      begun.resolve()
      await Promise.withResolvers<void>().promise
    })
    await mill.enqueue(sendMail)
    await mill.work([deaf], { drain: '1s' })
    await begun.promise
    const refused = assert.rejects(mill.close(), { code: 'drain-timeout' })
    for (let steps = 0; steps < 20; steps += 1) await runtime.advance(100)
    await refused
    await assert.rejects(mill.list(), { code: 'store-closed' })
    await assert.rejects(mill.close(), { code: 'drain-timeout' }, 'a second close joins the first')
  })
})

describe('a transaction of the application', () => {
  test('takes its jobs with it when it commits, and when it is rolled back', async (context) => {
    const { mill, own } = await openOnFile(context)
    const id = await mill.transaction(own, () => {
      const enqueued = mill.enqueueIn(own, exportMap, { region: 'FRA' }, { key: 'order-1' })
      own.prepare('INSERT INTO orders (job) VALUES (?)').run(enqueued.job.id)
      return enqueued.job.id
    })
    assert.equal((await mill.get(id)).type, 'map.export')
    const failed = mill.transaction(own, () => {
      mill.enqueueIn(own, exportMap, { region: 'ITA' })
      throw new RangeError('no stock')
    })
    await assert.rejects(failed, /no stock/)
    assert.equal((await mill.counts()).queued, 1)
    assert.equal(own.prepare('SELECT count(*) AS n FROM orders').get()?.['n'], 1)
  })

  test('that the application opened itself takes jobs too', async (context) => {
    const { mill, own } = await openOnFile(context)
    own.exec('BEGIN IMMEDIATE')
    mill.enqueueIn(own, sendMail, { to: 'ann' })
    own.exec('COMMIT')
    assert.equal((await mill.counts()).queued, 1)
    assert.throws(() => mill.enqueueIn(own, sendMail), { code: 'not-in-transaction' })
  })

  test('refuses every other act of the Millrace inside, and nothing hangs', async (context) => {
    const { mill, own } = await openOnFile(context)
    const { job } = await mill.enqueue(sendMail)
    const acts: readonly (() => Promise<unknown>)[] = [
      () => mill.enqueue(sendMail),
      () => mill.enqueueMany([{ definition: sendMail }]),
      () => mill.run(sendMail),
      () => mill.cancel(job),
      () => mill.retry(job),
      () => mill.runNow(job),
      () => mill.waitFor(job),
      () => mill.pauseQueue('mail.send'),
      () => mill.resumeQueue('mail.send'),
      () => mill.transaction(own, () => undefined),
      () => mill.work([handle(sendMail, () => undefined)]),
      () => mill.close(),
    ]
    await mill.transaction(own, async () => {
      for (const act of acts) await assert.rejects(act(), { code: 'tx-required' })
    })
    await mill.cancel(job)
  })

  test('lets go of what was started inside and outlives it', async (context) => {
    const { mill, own } = await openOnFile(context)
    const over = Promise.withResolvers<void>()
    const later = await mill.transaction(own, () => ({
      enqueued: over.promise.then(() => mill.enqueue(sendMail)),
    }))
    over.resolve()
    assert.equal((await later.enqueued).outcome, 'created')
  })

  test('refuses an input that its schema refuses, and a schema that takes its time', async (context) => {
    const { mill, own } = await openOnFile(context)
    const validate = (
      value: unknown,
    ): { readonly value: unknown } | { readonly issues: readonly [{ readonly message: string }] } =>
      value === 'ann' ? { value } : { issues: [{ message: 'only ann' }] }
    const at = { version: 1, vendor: 'test' } as const
    const quick = defineJob('mail.quick', { service: 'workers', input: { '~standard': { ...at, validate } } })
    const slow = defineJob('mail.slow', {
      service: 'workers',
      input: { '~standard': { ...at, validate: async (value: unknown) => Promise.resolve(validate(value)) } },
    })
    own.exec('BEGIN IMMEDIATE')
    assert.throws(() => mill.enqueueIn(own, quick, 'bob'), { code: 'input-invalid', path: 'input' })
    assert.throws(() => mill.enqueueIn(own, slow, 'bob'), { code: 'option-invalid', message: /asynchronous/ })
    mill.enqueueIn(own, quick, 'ann')
    own.exec('COMMIT')
    assert.equal((await mill.counts()).queued, 1)
  })
})

describe('an opened Millrace', () => {
  test('adds none of many where one reuses a key, and says which', async (context) => {
    const mill = await openInMemory(context)
    await mill.enqueue(exportMap, { region: 'FRA' }, { key: 'order-7' })
    const items = [
      { definition: exportMap, input: { region: 'ITA' } },
      { definition: exportMap, input: { region: 'ITA' }, key: 'order-7' },
    ]
    await assert.rejects(mill.enqueueMany(items), {
      name: 'ConflictError',
      code: 'key-reused',
      message: /^jobs\[1\]\.key: .*None of the jobs were added/,
    })
    assert.equal((await mill.counts()).queued, 1)
  })

  test('tells subscribers of everything that is committed, also of what was before', async (context) => {
    const mill = await openInMemory(context)
    const { job } = await mill.enqueue(sendMail)
    const heard: JobEvent[] = []
    const four = Promise.withResolvers<void>()
    const unsubscribe = await mill.subscribe(
      (event) => {
        heard.push(event)
        if (heard.length === 4) four.resolve()
      },
      { job, after: 0 },
    )
    await mill.enqueue(sendMail)
    await mill.cancel(job, { actor: 'ann', reason: 'wrong' })
    await mill.retry(job, { fromStart: true })
    await mill.cancel(job)
    await four.promise
    unsubscribe()
    assert.deepEqual(
      heard.map(({ seq, name }) => [seq, name]),
      [
        [1, 'job:queued'],
        [2, 'job:cancelled'],
        [3, 'job:queued'],
        [4, 'job:cancelled'],
      ],
    )
    assert.deepEqual(heard[1]?.detail, { cancelledBy: 'ann', reason: 'wrong' })
    const none = 'log' as unknown as () => void
    await assert.rejects(mill.subscribe(none), { path: 'listener' })
  })

  test('pauses a queue and resumes it, once each', async (context) => {
    const mill = await openInMemory(context)
    assert.equal(await mill.pauseQueue('mail.send', { actor: 'ann' }), true)
    assert.equal(await mill.pauseQueue('mail.send', { actor: 'bob' }), false)
    const [queue] = await mill.queues()
    assert.deepEqual([queue?.name, queue?.pausedBy], ['mail.send', 'ann'])
    assert.equal(await mill.resumeQueue('mail.send', { actor: 'cid' }), true)
    assert.equal(await mill.resumeQueue('mail.send'), false)
    const [resumed] = await mill.queues()
    assert.deepEqual([resumed?.pausedBy, resumed?.resumedBy], [null, 'cid'])
    await assert.rejects(mill.resumeQueue('mail.send', { actor: '' }), { path: 'actor' })
    await assert.rejects(mill.pauseQueue('mail send'), { code: 'name-invalid', path: 'queue' })
  })

  test('works for the service of its handlers, and for no other', async (context) => {
    const mill = await openInMemory(context)
    await assert.rejects(mill.work([]), { path: /service|handlers/ })
    const named = await openInMemory(context, { service: 'printers' })
    await assert.rejects(named.work([handle(sendMail, () => undefined)]), { code: 'owner-conflict' })
    const worker = await mill.work([handle(sendMail, () => undefined)])
    assert.equal(worker.service, 'workers')
  })

  test('queues what has come due when it looks after the store', async (context) => {
    const runtime = virtualRuntime()
    const mill = await openInMemory(context, { runtime, maintenance: false })
    const { job } = await mill.enqueue(sendMail, null, { delay: '1h' })
    await runtime.advance(3_600_000)
    const { jobsPromoted } = await mill.maintenance.runOnce()
    assert.equal(jobsPromoted, 1)
    assert.equal((await mill.get(job)).state, 'queued')
  })

  test('speaks through its logger alone', async (context) => {
    const spoken: string[] = []
    const logger = {
      info: (message: string) => void spoken.push(message),
      warn: (message: string) => void spoken.push(message),
      error: (message: string) => void spoken.push(message),
    }
    const mill = await openInMemory(context, { logger })
    await mill.work([handle(sendMail, () => undefined)])
    await mill.run(sendMail)
    assert.deepEqual(spoken, ['JOB_START', 'JOB_SUCCESS'])
  })
})
