import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { handle } from 'millrace'
import { openTestMill } from 'millrace/testing'
import type { TestMillOptions } from 'millrace/testing'
import { postgresDatabase } from '../support/postgres-database.ts'
import { sqliteDatabase } from '../support/sqlite-database.ts'
import { bakeBread, bakeBreadInto, sendMail } from './bakery-jobs.ts'

const mailer = handle(sendMail, () => 'sent')

describe('a test mill', () => {
  test('has a clock that stands still until it is moved', async () => {
    await using kit = await openTestMill({ startAt: new Date('2031-05-01T12:00:00Z') })
    const { job } = await kit.mill.enqueue(sendMail, { to: 'ann' }, { delay: '31s' })
    const { createdAt, runAt } = await kit.mill.get(job)
    assert.deepEqual([createdAt, runAt], [Date.UTC(2031, 4, 1, 12), Date.UTC(2031, 4, 1, 12, 0, 31)])
    await kit.clock.advance('31s')
    assert.equal(kit.clock.now(), runAt)
  })

  test('lets happen on the way whatever comes due, at its own time', async () => {
    await using kit = await openTestMill()
    const begun = kit.clock.now()
    const ranAt: number[] = []
    const flaky = handle(sendMail, () => {
      ranAt.push(kit.clock.now() - begun)
    })
    await kit.mill.work([flaky])
    await kit.mill.enqueue(sendMail, { to: 'ann' }, { delay: '2s' })
    await kit.mill.enqueue(sendMail, { to: 'bob' }, { delay: '5s' })
    await kit.clock.advance('1m')
    assert.deepEqual(ranAt, [2_000, 5_000])
  })

  test('ends an attempt that takes too long when the clock says so', async () => {
    await using kit = await openTestMill()
    const stuck = handle(
      sendMail,
      ({ signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('stopped')))),
    )
    const { job } = await kit.mill.enqueue(sendMail, { to: 'ann' })
    const draining = kit.drain([stuck])
    await kit.clock.advance('31m')
    assert.equal((await draining).retrying, 1)
    assert.equal((await kit.mill.get(job)).attempts[0]?.error?.code, 'time-out')
  })

  test('gives the same ids and the same chances each time', async () => {
    const idsOf = async (options: TestMillOptions): Promise<readonly string[]> => {
      await using kit = await openTestMill(options)
      const results = await kit.mill.enqueueMany([
        { definition: sendMail, input: { to: 'ann' } },
        { definition: sendMail, input: { to: 'bob' } },
      ])
      return results.map(({ job }) => job.id)
    }
    assert.deepEqual(await idsOf({}), await idsOf({}))
    assert.notDeepEqual(await idsOf({}), await idsOf({ seed: 2 }))
  })

  test('has a Millrace for each service, as if each ran in a process of its own', async () => {
    await using kit = await openTestMill()
    await kit.service('web').enqueue(sendMail, { to: 'ann' })
    await assert.rejects(kit.service('web').work([mailer]), { code: 'owner-conflict' })
    assert.equal((await kit.drain([mailer])).completed, 1)
  })

  test('keeps what is logged, and prints nothing', async () => {
    await using kit = await openTestMill()
    const failing = handle(sendMail, () => Promise.reject(new Error('no stamps')))
    await kit.mill.enqueue(sendMail, { to: 'ann' })
    await kit.drain([failing])
    assert.deepEqual(
      kit.logs.filter(({ level }) => level === 'warn').map(({ message, fields }) => [message, fields['error']]),
      [['JOB_FAILED', 'no stamps']],
    )
  })

  test('closes, whatever still runs', async () => {
    const kit = await openTestMill()
    const begun = Promise.withResolvers<void>()
    await kit.mill.work([
      handle(sendMail, () => {
        begun.resolve()
        return new Promise(() => {})
      }),
    ])
    await kit.mill.enqueue(sendMail, { to: 'ann' })
    await begun.promise
    await kit.close()
    await assert.rejects(kit.mill.list(), { code: 'store-closed' })
  })

  test('refuses options that it does not know', async () => {
    const options: object = { clock: 'real' }
    await assert.rejects(openTestMill(options), { code: 'option-invalid', path: 'options.clock' })
    await assert.rejects(openTestMill({ seed: 0.5 }), { code: 'option-invalid', path: 'seed' })
    await assert.rejects(openTestMill({ startAt: Number.NaN }), { code: 'option-invalid', path: 'startAt' })
    await assert.rejects(openTestMill({ service: 'a b' }), { code: 'name-invalid', path: 'service' })
    await assert.rejects(openTestMill({ store: { schema: 'x' } }), { code: 'option-invalid', path: 'schema' })
  })

  test('is not loaded by whoever imports millrace', () => {
    const script = "import 'millrace'; console.log(process.moduleLoadList.length)"
    const loaded = execFileSync(
      process.execPath,
      [
        '--conditions=millrace-source',
        '--disable-warning=ExperimentalWarning',
        '--import',
        registerText,
        '--input-type=module',
        '--eval',
        script,
      ],
      { cwd: join(import.meta.dirname, '../..'), encoding: 'utf8' },
    )
    assert.match(loaded, /src\/index\.ts/)
    assert.doesNotMatch(loaded, /src\/testing\//)
  })
})

/** Prints each module as it is loaded. */
const registerText = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'
  registerHooks({ load: (url, context, next) => { console.log(url); return next(url, context) } })
`)}`

/** What the kit promises holds wherever the jobs are kept. */
const STORES = [
  { name: 'in memory', open: null },
  { name: 'in an SQLite file', open: sqliteDatabase },
  { name: 'in PostgreSQL', open: postgresDatabase },
]

for (const { name, open } of STORES) {
  test(`${name}: a crash, a lost lease, a retry and a drain`, async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-kit-'))
    const database = await open?.(folder)
    context.after(async () => {
      await database?.drop()
      rmSync(folder, { recursive: true, maxRetries: 5 })
    })
    await using kit = await openTestMill(database === undefined ? {} : { url: database.url, store: database.options })
    const ran: string[] = []
    const [first, second] = [await kit.worker([bakeBreadInto(ran)]), await kit.worker([bakeBreadInto(ran)])]
    const { job } = await kit.mill.enqueue(bakeBread, { loaves: 2 })
    await first.crashAfterPhase('mix')
    await kit.clock.advance('31s')
    await kit.mill.maintenance.runOnce()
    await second.runPhase('bake')
    await second.loseLease()
    assert.equal((await second.runOnce()).lost, 1)
    assert.equal((await kit.drain([bakeBreadInto(ran)])).completed, 1)
    // Whoever has lost the lease does not know it, and works for nothing.
    assert.deepEqual(ran, ['mix', 'bake', 'wrap', 'wrap'])
    assert.deepEqual((await kit.waitForJobCompletion(job, 10_000)).output, { baked: 2 })
  })
}
