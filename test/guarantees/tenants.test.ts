/** Each user sees and does what the role allows in the own tenant, and learns nothing of the others. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'

import { defineJob, ForbiddenError, handle, InvalidInputError, NotFoundError } from '../../src/index.ts'
import type { AsOptions, EnqueueOptions, EnqueueResult, JobClient, JobEvent } from '../../src/index.ts'
import { openTestMill } from '../support/open-test-mill.ts'
import type { TestMill } from '../support/open-test-mill.ts'
import { Announcements } from '../support/wait-for-event.ts'

const draw = defineJob('map.draw', { service: 'maps', phases: ['load', 'render'] })
const drawer = handle(draw)
  .phase('load', () => 'countries')
  .phase('render', async ({ artifact }) => {
    await artifact.write('map.txt', 'a map')
    return 'drawn'
  })

const ANN: AsOptions = { tenant: 'acme', user: 'ann', role: 'member' }
const BOB: AsOptions = { tenant: 'acme', user: 'bob', role: 'member' }
const ADA: AsOptions = { tenant: 'acme', user: 'ada', role: 'admin' }
const EVE: AsOptions = { tenant: 'other', user: 'eve', role: 'admin' }
/** Of the same name, but not the same. */
const OTHER_ANN: AsOptions = { tenant: 'other', user: 'ann', role: 'member' }
const OLGA: AsOptions = { user: 'olga', role: 'operator' }

type Answer = 'done' | 'forbidden' | 'not found'

async function answerOf(act: () => Promise<unknown>): Promise<Answer> {
  try {
    await act()
    return 'done'
  } catch (error) {
    if (error instanceof ForbiddenError) return 'forbidden'
    if (error instanceof NotFoundError) return 'not found'
    throw error
  }
}

/** A job of ann's that is done, with its artifact. */
async function openDrawn(
  context: TestContext,
): Promise<TestMill & { readonly id: string; readonly artifactId: string }> {
  const opened = await openTestMill(context)
  const { mill, work } = opened
  const worker = await work([drawer])
  const { job } = await mill.as(ANN).enqueue(draw, 1)
  await mill.waitFor(job)
  await worker.stop({ timeout: '20s' })
  const [artifact] = await mill.as(ANN).artifacts(job)
  assert.ok(artifact !== undefined)
  return { ...opened, id: job.id, artifactId: artifact.id }
}

type Ask = (client: JobClient, id: string, artifactId: string) => Promise<unknown>

const READS: Readonly<Record<string, Ask>> = {
  get: (client, id) => client.get(id),
  events: (client, id) => client.events({ job: id }),
  artifacts: (client, id) => client.artifacts(id),
  openArtifact: (client, _id, artifactId) => client.openArtifact(artifactId),
  waitFor: (client, id) => client.waitFor(id),
  explain: (client, id) => client.explain(id),
  subscribe: (client, id) => client.subscribe(() => undefined, { job: id }),
}

const WHO: readonly (readonly [AsOptions, Answer])[] = [
  [ANN, 'done'],
  [BOB, 'forbidden'],
  [ADA, 'done'],
  [EVE, 'not found'],
  [OTHER_ANN, 'not found'],
  [OLGA, 'done'],
]

test("a job is read by its owner, the tenant's admins and operators; another tenant does not find it", async (context) => {
  const { mill, id, artifactId, dump } = await openDrawn(context)
  const before = await dump()
  for (const [name, read] of Object.entries(READS)) {
    for (const [who, expected] of WHO) {
      const answer = await answerOf(() => read(mill.as(who), id, artifactId))
      assert.equal(answer, expected, `${name} by ${JSON.stringify(who)}`)
    }
  }
  const nobody = '019b7613-6800-7000-8000-00000000dead'
  const refused = async (asked: string): Promise<string> => {
    const error: unknown = await mill
      .as(EVE)
      .get(asked)
      .catch((thrown: unknown) => thrown)
    assert.ok(error instanceof NotFoundError)
    return JSON.stringify([error.code, error.message, error.details]).replaceAll(asked, '<id>')
  }
  assert.equal(await refused(id), await refused(nobody), "another tenant's job looks like none")
  assert.deepEqual(await dump(), before)
})

interface Act {
  readonly name: string
  readonly act: (client: JobClient, id: string) => Promise<unknown>
  /** A member may do it to the own jobs. */
  readonly forMembers: boolean
}

const ACTS: readonly Act[] = [
  { name: 'runNow', forMembers: true, act: (client, id) => client.runNow(id) },
  { name: 'cancel', forMembers: true, act: (client, id) => client.cancel(id) },
  { name: 'retry', forMembers: true, act: (client, id) => client.retry(id) },
  { name: 'forceReset', forMembers: false, act: (client, id) => client.forceReset(id, { reason: 'why not' }) },
  { name: 'forceFail', forMembers: false, act: (client, id) => client.forceFail(id, { reason: 'why not' }) },
]

test('whoever may not touch a job is refused every act on it, and nothing is changed', async (context) => {
  const { mill, dump } = await openTestMill(context)
  const { job } = await mill.as(ANN).enqueue(draw, 1, { delay: '1h' })
  for (const { name, act, forMembers } of ACTS) {
    const before = await dump()
    for (const [who, expected] of WHO) {
      const isMember = who.role === 'member' && who.tenant === 'acme'
      const answer = isMember && !forMembers ? 'forbidden' : expected
      if (answer !== 'done')
        assert.equal(await answerOf(() => act(mill.as(who), job.id)), answer, `${name}: ${who.user}`)
    }
    assert.deepEqual(await dump(), before, name)
    assert.equal(await answerOf(() => act(mill.as(forMembers ? ANN : ADA), job.id)), 'done', name)
  }
  await assert.rejects(
    mill.as(ADA).retry(job, { from: 'load' }),
    ForbiddenError,
    'the phase is for operators to choose',
  )
})

test('lists, counts, events and the audit hold what is one’s own, whatever is asked for', async (context) => {
  const { mill } = await openTestMill(context)
  const made: [string, string][] = []
  for (const [tenant, owner] of [
    ['acme', 'ann'],
    ['acme', 'bob'],
    ['acme', null],
    ['other', 'ann'],
    ['', null],
  ] as const) {
    const { job } = await mill.enqueue(draw, 1, { tenant, owner, labels: { course: 'c-1' } })
    await mill.forceFail(job, { reason: 'for the audit' })
    made.push([job.id, `${tenant} ${owner ?? '-'}`])
  }
  const names = new Map(made)
  const cases: readonly (readonly [AsOptions, readonly string[]])[] = [
    [ANN, ['acme ann']],
    [BOB, ['acme bob']],
    [ADA, ['acme ann', 'acme bob', 'acme -']],
    [EVE, ['other ann']],
    [OTHER_ANN, ['other ann']],
    [{ tenant: 'nobody', user: 'ann', role: 'admin' }, []],
    [OLGA, ['acme ann', 'acme bob', 'acme -', 'other ann', ' -']],
  ]
  for (const [who, own] of cases) {
    const client = mill.as(who)
    const shown = (ids: readonly string[]): readonly string[] => [...new Set(ids)].map((id) => names.get(id) ?? id)
    for (const filter of [{}, { labels: { course: 'c-1' } }, { state: 'failed' }, { type: draw }] as const) {
      const { jobs, next } = await client.list(filter)
      assert.deepEqual([shown(jobs.map(({ id }) => id)).toReversed(), next], [own, null])
      assert.equal((await client.counts(filter)).failed, own.length)
    }
    assert.deepEqual(shown((await client.events()).map(({ jobId }) => jobId)), own)
    for (const filter of [{ tenant: 'other' }, { owner: 'bob' }, { tenant: '' }]) {
      const { jobs } = await client.list(filter)
      assert.ok(
        jobs.every(({ id }) => own.includes(names.get(id) ?? '')),
        'a filter never widens what is seen',
      )
    }
    if (who.role === 'member') await assert.rejects(client.audit(), ForbiddenError)
    else assert.deepEqual(shown((await client.audit()).entries.map(({ jobId }) => jobId)).toReversed(), own)
  }
})

test('a subscriber is told of the own jobs alone, from any position', async (context) => {
  const { mill } = await openTestMill(context)
  const told = new Announcements()
  const heard = new Map<string, JobEvent[]>()
  const subscribe = async (name: string, who: AsOptions, after?: number): Promise<void> => {
    const events: JobEvent[] = []
    heard.set(name, events)
    const listener = (event: JobEvent): void => {
      events.push(event)
      told.tell(`${name} ${event.jobId}`)
    }
    await mill.as(who).subscribe(listener, after === undefined ? {} : { after })
  }
  const add = async (who: AsOptions): Promise<string> => {
    const { job } = await mill.as(who).enqueue(draw, 1)
    return job.id
  }
  const first = [await add(ANN), await add(EVE), await add(BOB)]
  for (const [name, who] of [
    ['ann', ANN],
    ['ada', ADA],
    ['eve', EVE],
  ] as const) {
    await subscribe(`${name} live`, who)
    await subscribe(`${name} all`, who, 0)
  }
  const second = [await add(EVE), await add(BOB), await add(ANN)]
  const [last = ''] = second.slice(-1)
  const [ofEve = ''] = second
  for (const name of ['ann', 'ada']) for (const kind of ['live', 'all']) await told.hear(`${name} ${kind} ${last}`)
  for (const kind of ['live', 'all']) await told.hear(`eve ${kind} ${ofEve}`)
  const ids = (name: string): readonly string[] => (heard.get(name) ?? []).map(({ jobId }) => jobId)
  assert.deepEqual(ids('ann live'), [second[2]])
  assert.deepEqual(ids('ann all'), [first[0], second[2]])
  assert.deepEqual(ids('ada live'), [second[1], second[2]])
  assert.deepEqual(ids('ada all'), [first[0], first[2], second[1], second[2]])
  assert.deepEqual(ids('eve live'), [second[0]])
  assert.deepEqual(ids('eve all'), [first[1], second[0]])
  for (const events of heard.values()) for (const event of events) assert.ok(!('tenant' in event))
})

describe('an enqueue', () => {
  test('is of the member’s own, and of nobody else', async (context) => {
    const { mill, dump } = await openTestMill(context)
    const client = mill.as(ANN)
    for (const options of [{}, { tenant: 'acme' }, { owner: 'ann' }, { tenant: 'acme', owner: 'ann' }]) {
      const { job } = await client.enqueue(draw, 1, options)
      const { tenant, owner } = await client.get(job)
      assert.deepEqual([tenant, owner], ['acme', 'ann'])
    }
    const before = await dump()
    for (const options of [{ tenant: 'other' }, { tenant: '' }, { owner: 'bob' }, { tenant: 'other', owner: 'ann' }]) {
      await assert.rejects(client.enqueue(draw, 1, options), ForbiddenError)
      await assert.rejects(client.run(draw, 1, options), ForbiddenError)
      const many = [{ definition: draw }, { definition: draw, ...options }] as const
      await assert.rejects(client.enqueueMany(many), ForbiddenError)
    }
    assert.deepEqual(await dump(), before)
  })

  test('of an admin is for anyone in the tenant, or for no user', async (context) => {
    const { mill } = await openTestMill(context)
    const client = mill.as(ADA)
    for (const owner of ['bob', 'ada', null]) {
      const { job } = await client.enqueue(draw, 1, { owner })
      assert.deepEqual([(await mill.get(job)).tenant, (await mill.get(job)).owner], ['acme', owner])
    }
    await assert.rejects(client.enqueue(draw, 1, { tenant: 'other', owner: 'bob' }), ForbiddenError)
  })

  test('under a key that another tenant uses is a job of its own', async (context) => {
    const { mill } = await openTestMill(context)
    const keys: readonly EnqueueOptions[] = [{ key: 'order-7' }, { unique: 'book-7' }]
    for (const options of keys) {
      const own: EnqueueResult = await mill.as(ANN).enqueue(draw, 1, options)
      const theirs: EnqueueResult = await mill.as(EVE).enqueue(draw, 'another input', options)
      assert.deepEqual([own.outcome, theirs.outcome], ['created', 'created'])
      const again: EnqueueResult = await mill.as(BOB).enqueue(draw, 1, options)
      assert.deepEqual([again.outcome, again.job.id], ['duplicate', own.job.id], 'a key is the tenant’s')
      assert.equal(await answerOf(() => mill.as(BOB).get(again.job)), 'forbidden', 'which opens nothing')
    }
  })
})

describe('an act', () => {
  test('is in the name of whoever does it, and of nobody else', async (context) => {
    const { mill, dump } = await openTestMill(context)
    for (const who of [ANN, ADA, OLGA]) {
      const { job } = await mill.as(ANN).enqueue(draw, 1, { delay: '1h' })
      const before = await dump()
      await assert.rejects(mill.as(who).cancel(job, { actor: 'bob' }), ForbiddenError)
      await assert.rejects(mill.as(who).cancel(job, { actor: '' }), InvalidInputError)
      assert.deepEqual(await dump(), before)
      const { cancelledBy } = await mill.as(who).cancel(job, who === ADA ? { actor: who.user } : {})
      assert.equal(cancelledBy, who.user)
    }
    const { job } = await mill.as(ANN).enqueue(draw, 1)
    await assert.rejects(mill.as(ADA).forceFail(job, { reason: 'x', actor: 'olga' }), ForbiddenError)
    await mill.as(ADA).forceFail(job, { reason: 'x' })
    await mill.as(OLGA).forceReset(job, { reason: 'y' })
    const { entries } = await mill.audit({ job })
    assert.deepEqual(
      entries.map(({ actor, role }) => `${role} ${actor}`),
      ['operator olga', 'admin ada'],
    )
  })

  test('is by a role, a tenant and a user that can be, or there is no client', async (context) => {
    const { mill } = await openTestMill(context)
    const bad: readonly (readonly [object, string])[] = [
      [{ ...ANN, role: 'root' }, 'role'],
      [{ ...ANN, role: undefined }, 'role'],
      [{ ...ANN, tenant: '' }, 'tenant'],
      [{ ...ANN, tenant: undefined }, 'tenant'],
      [{ ...ANN, tenant: 7 }, 'tenant'],
      [{ ...ANN, user: '' }, 'user'],
      [{ ...ADA, user: undefined }, 'user'],
      [{ ...ADA, user: 'x'.repeat(201) }, 'user'],
      [{ ...OLGA, tenant: 'acme' }, 'tenant'],
      [{ role: 'operator' }, 'user'],
      [{ ...ANN, owner: 'bob' }, 'options.owner'],
    ]
    for (const [options, path] of bad) {
      assert.throws(
        () => mill.as(options as AsOptions),
        (error) => error instanceof InvalidInputError && error.path === path,
        JSON.stringify(options),
      )
    }
    assert.throws(() => mill.as(null as unknown as AsOptions), InvalidInputError)
  })
})

test('where a page ends tells nothing of what others have', async (context) => {
  const { mill } = await openTestMill(context)
  const ann = mill.as(ANN)
  const cursors: (string | null)[] = []
  for (let count = 0; count < 3; count += 1) {
    await ann.enqueue(draw, count)
    await mill.as(EVE).enqueue(draw, count)
  }
  const seen: string[] = []
  for (let after: string | null = null; ;) {
    const page = await ann.list({ limit: 1, ...(after === null ? {} : { after }) })
    seen.push(...page.jobs.map(({ owner }) => owner ?? ''))
    cursors.push(page.next)
    after = page.next
    if (after === null) break
  }
  assert.deepEqual(seen, ['ann', 'ann', 'ann'])
  for (const cursor of cursors)
    assert.ok(cursor === null || cursor.length >= 32, 'neither a number nor short enough to guess')
  const theirs = await mill.as(EVE).list({ limit: 1 })
  const { jobs } = await ann.list({ after: theirs.next ?? '' })
  assert.ok(
    jobs.every(({ owner }) => owner === 'ann'),
    'a cursor leads to nothing of others',
  )
  assert.deepEqual(await ann.list({ after: 'made-up' }), { jobs: [], next: null })
})

test('a job that waits does not tell how busy the others keep the workers', async (context) => {
  const { mill, work } = await openTestMill(context)
  const announce = new Announcements()
  const busy = handle(draw)
    .phase('load', async ({ signal }) => {
      announce.tell('started')
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    })
    .phase('render', () => null)
  await work([busy], { concurrency: 1 })
  const theirs = await mill.as(EVE).enqueue(draw, 1)
  await announce.hear('started')
  const { job } = await mill.as(ANN).enqueue(draw, 1)
  const codes = async (client: JobClient): Promise<readonly string[]> =>
    (await client.explain(job)).reasons.map(({ code }) => code)
  assert.deepEqual(await codes(mill.as(ANN)), ['ready'])
  assert.deepEqual(await codes(mill), ['no-free-slot'])
  await mill.cancel(job)
  await mill.cancel(theirs.job)
})
