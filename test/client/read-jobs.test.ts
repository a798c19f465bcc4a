import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { z } from 'zod'

import { ClientContext } from '../../src/client/client-context.ts'
import { defineJob } from '../../src/client/define-job.ts'
import { JobClient } from '../../src/client/job-client.ts'
import { InvalidInputError, NotFoundError } from '../../src/core/errors.ts'
import { ARTIFACT, CHECKPOINT, FAIL_FINAL, FAIL_RETRY } from '../../src/core/plans.ts'
import { OPERATOR } from '../../src/core/scope.ts'
import { ArtifactFolder } from '../../src/store/artifact-folder.ts'
import type { NewArtifact } from '../../src/store/claims.ts'
import { attemptError, openClient } from './open-client.ts'

const exportMap = defineJob('map.export', { service: 'workers', phases: ['load', 'render', 'store'], queue: 'maps' })
const sendMail = defineJob('mail.send', { service: 'workers' })

describe('get', () => {
  test('tells phases, attempts and errors of a job that failed', async (context) => {
    const { client, claim, apply } = openClient(context)
    const { job } = await client.enqueue(exportMap, { region: 'FRA' })
    const first = await claim('map.export')
    await apply(first, CHECKPOINT, { progress: 33 }, { result: '{"countries":1}' })
    await apply(first, FAIL_RETRY, { delayMs: 0 }, { error: attemptError('ink low', 'render') })
    await client.runNow(job)
    const second = await claim('map.export')
    await apply(second, FAIL_FINAL, {}, { error: attemptError('no paper', 'render') })
    const read = await client.get(job)
    assert.deepEqual(
      read.phases.map(({ name, state, error }) => [name, state, error?.message ?? null]),
      [
        ['load', 'done', null],
        ['render', 'failed', 'no paper'],
        ['store', 'pending', null],
      ],
    )
    assert.deepEqual(
      read.attempts.map(({ attempt, outcome, phase, error }) => [attempt, outcome, phase, error?.message]),
      [
        [1, 'failed', 'render', 'ink low'],
        [2, 'failed', 'render', 'no paper'],
      ],
    )
    assert.deepEqual(read.error, {
      name: 'TypeError',
      message: 'no paper',
      code: 'E_PRESS',
      stack: 'TypeError: no paper\n    at press',
      verdict: { fatal: true, rule: 'validation', retryAfterMs: null },
      context: { page: 3 },
    })
    assert.deepEqual(read.worker, { service: 'workers', host: 'mill-1', pid: 7 })
    assert.equal(read.failures, 2)
    assert.equal(read.attempt, 2)
    assert.equal(read.phase, 'render')
  })

  test('of a completed job has no phase left, and its output', async (context) => {
    const { client, complete } = openClient(context)
    const { job } = await client.enqueue(exportMap, { region: 'FRA' })
    await complete('map.export', { file: 'map.png' })
    const { phase, output, progress, phases } = await client.get(job)
    assert.deepEqual({ phase, output, progress }, { phase: null, output: { file: 'map.png' }, progress: 100 })
    assert.deepEqual(phases.at(-1)?.result, { file: 'map.png' })
  })

  test('with a definition parses the output, and says so where its schema refuses it', async (context) => {
    const { client, complete } = openClient(context)
    const output = z.object({ pages: z.number().transform((pages) => pages * 2) })
    const book = defineJob('book.parse', { service: 'workers', output })
    const good = await client.enqueue(book)
    await complete('book.parse', { pages: 21 })
    assert.deepEqual((await client.get({ id: good.job.id, definition: book })).output, { pages: 42 })
    assert.deepEqual((await client.get(good.job.id)).output, { pages: 21 })
    const bad = await client.enqueue(book)
    await complete('book.parse', { pages: 'many' })
    await assert.rejects(client.get(bad.job), { code: 'output-invalid', path: 'output.pages' })
    assert.deepEqual((await client.get(bad.job.id)).output, { pages: 'many' })
  })

  test('with the definition of another type is refused', async (context) => {
    const { client } = openClient(context)
    const { job } = await client.enqueue(sendMail)
    const wrong = client.get({ id: job.id, definition: exportMap })
    await assert.rejects(wrong, (error) => error instanceof InvalidInputError && error.path === 'definition')
  })

  test('of nothing that is there throws NotFoundError', async (context) => {
    const { client } = openClient(context)
    await assert.rejects(client.get('019b7613-6800-7000-8000-00000000dead'), NotFoundError)
    await assert.rejects(client.get('nonsense'), NotFoundError)
  })
})

describe('list and counts', () => {
  test('give pages of what matches, newest first', async (context) => {
    const { client } = openClient(context)
    const made: string[] = []
    for (let index = 0; index < 5; index += 1) {
      const { job } = await client.enqueue(sendMail, index, { tenant: 'acme', owner: 'ann', labels: { book: 'b-1' } })
      made.unshift(job.id)
    }
    await client.enqueue(exportMap, null, { tenant: 'acme', owner: 'bob' })
    const filter = { type: sendMail, state: 'queued', tenant: 'acme', owner: 'ann', labels: { book: 'b-1' } } as const
    const first = await client.list({ ...filter, limit: 3 })
    assert.ok(first.next !== null)
    const second = await client.list({ ...filter, limit: 3, after: first.next })
    assert.equal(second.next, null)
    assert.deepEqual(
      [...first.jobs, ...second.jobs].map(({ id }) => id),
      made,
    )
    assert.equal((await client.counts(filter)).queued, 5)
    assert.equal((await client.counts({ queue: 'maps' })).queued, 1)
    assert.equal((await client.counts({ tenant: '' })).queued, 0)
    assert.equal((await client.list({ state: ['running', 'failed'] })).jobs.length, 0)
  })

  test('hold no bodies', async (context) => {
    const { client } = openClient(context)
    await client.enqueue(sendMail, { secret: true })
    const { jobs } = await client.list()
    assert.equal(jobs.length, 1)
    assert.ok(jobs.every((job) => !('input' in job) && !('holder' in job)))
  })

  test('refuse a filter that is misspelt or out of range', async (context) => {
    const { client } = openClient(context)
    const wrong: readonly (readonly [object, string])[] = [
      [{ limit: 0 }, 'limit'],
      [{ limit: 501 }, 'limit'],
      [{ states: ['queued'] }, 'options.states'],
      [{ state: 'processing' }, 'state'],
      [{ type: 'mail send' }, 'type'],
      [{ labels: { book: 1 } }, 'labels.book'],
      [{ after: '' }, 'after'],
    ]
    for (const [options, path] of wrong) {
      await assert.rejects(client.list(options), (error) => error instanceof InvalidInputError && error.path === path)
    }
  })
})

describe('explain', () => {
  test('names the pause, the missing owner and the worker that runs it', async (context) => {
    const { client, store, claim } = openClient(context)
    const { job } = await client.enqueue(sendMail)
    const waiting = await client.explain(job)
    assert.equal(waiting.reasons[0]?.code, 'no-owner')
    await store.jobTypes.register('workers', [{ type: 'mail.send', queue: 'mail.send', policy: sendMail.policy }])
    await store.queues.pause('mail.send', 'ann')
    const paused = await client.explain(job)
    assert.equal(paused.reasons[0]?.code, 'queue-paused')
    assert.match(paused.summary, /paused by ann/)
    await store.queues.resume('mail.send', 'ann')
    await claim('mail.send')
    const running = await client.explain(job)
    assert.equal(running.reasons[0]?.code, 'running')
    assert.match(running.summary, /mill-1/)
  })

  test('counts the jobs that come first', async (context) => {
    const { client, store, claim } = openClient(context)
    await store.jobTypes.register('workers', [{ type: 'mail.send', queue: 'mail.send', policy: sendMail.policy }])
    for (let index = 0; index < 4; index += 1) await client.enqueue(sendMail, index)
    for (let index = 0; index < 4; index += 1) await claim('mail.send')
    await client.enqueue(sendMail, 'before')
    await client.enqueue(sendMail, 'first', { priority: -1 })
    const { job } = await client.enqueue(sendMail, 'this')
    await client.enqueue(sendMail, 'behind')
    const { reasons } = await client.explain(job)
    assert.deepEqual(
      reasons.map(({ code }) => code),
      ['no-free-slot', 'jobs-ahead'],
    )
    assert.match(reasons[1]?.message ?? '', /^2 queued jobs/)
  })

  test('of a job that is over names who holds its unique key', async (context) => {
    const { client } = openClient(context)
    const first = await client.enqueue(sendMail, 1, { unique: 'ann' })
    await client.cancel(first.job, { actor: 'bob' })
    const second = await client.enqueue(sendMail, 2, { unique: 'ann' })
    const { reasons } = await client.explain(first.job)
    assert.match(reasons[0]?.message ?? '', /cancelled by bob/)
    assert.match(reasons[1]?.message ?? '', new RegExp(second.job.id))
  })
})

describe('artifacts', () => {
  const ID = '019b7613-6800-7000-8000-0000000000a1'

  test('are listed and read, as a stream and as a whole', async (context) => {
    const { client, claim, apply, store, runtime } = openClient(context)
    const folder = mkdtempSync(join(tmpdir(), 'millrace-artifacts-'))
    context.after(() => rmSync(folder, { recursive: true }))
    const { job } = await client.enqueue(sendMail)
    const running = await claim('mail.send')
    await apply(running, ARTIFACT, {}, { artifact: artifact({ expiresInMs: 60_000 }) })
    const withFolder = { ...store, artifacts: { ...store.artifacts, bytes: new ArtifactFolder(folder) } }
    const other = new JobClient(new ClientContext(withFolder, runtime), OPERATOR)
    const [listed] = await other.artifacts(job)
    assert.equal(listed?.name, 'letter.txt')
    assert.ok(listed !== undefined && !('path' in listed))

    await assert.rejects(other.openArtifact(ID), /not there/)
    writeFileSync(join(folder, 'letter'), 'Dear Ann')
    const opened = await other.openArtifact(ID)
    assert.equal(Buffer.from(await opened.bytes()).toString(), 'Dear Ann')
    const chunks = await opened.stream().toArray()
    assert.equal(Buffer.concat(chunks as Buffer[]).toString(), 'Dear Ann')
    assert.equal(opened.path, join(folder, 'letter'))
    writeFileSync(join(folder, 'letter'), 'Dear Ann!')
    await assert.rejects(other.openArtifact(ID), /9 bytes of it instead of 8/)
  })

  test('that have expired, were never written or lead elsewhere are missing', async (context) => {
    const { client, claim, apply, advance } = openClient(context)
    await client.enqueue(sendMail)
    const running = await claim('mail.send')
    await apply(running, ARTIFACT, {}, { artifact: artifact({ path: '../../etc/passwd', expiresInMs: 60_000 }) })
    await assert.rejects(client.openArtifact(ID), { code: 'artifact-missing', message: /not there/ })
    await advance(60_000)
    await assert.rejects(client.openArtifact(ID), { code: 'artifact-missing', message: /has expired/ })
    await assert.rejects(client.openArtifact(ID.replace('a1', 'a2')), { code: 'artifact-missing' })
    await assert.rejects(client.openArtifact('letter.txt'), NotFoundError)
  })

  function artifact(changes: Partial<NewArtifact>): NewArtifact {
    return {
      id: ID,
      name: 'letter.txt',
      contentType: 'text/plain',
      sizeBytes: 8,
      sha256: 'ab'.repeat(32),
      path: 'letter',
      expiresInMs: null,
      phase: 'run',
      ...changes,
    }
  }
})

describe('events', () => {
  test('are read a page at a time, of all jobs or of one, their detail as an object', async (context) => {
    const { client, claim, apply } = openClient(context)
    const { job } = await client.enqueue(exportMap)
    await client.enqueue(sendMail)
    const running = await claim('map.export')
    await apply(running, CHECKPOINT, { progress: 33 }, { result: '1', detail: '{"phase":"load","next":"render"}' })
    const events = await client.events({ job })
    assert.deepEqual(
      events.map(({ seq, name }) => [seq, name]),
      [
        [1, 'job:queued'],
        [2, 'job:started'],
        [3, 'phase:completed'],
      ],
    )
    assert.deepEqual(events.at(-1)?.detail, { phase: 'load', next: 'render' })
    const [first, ...rest] = await client.events({ limit: 2 })
    assert.equal(rest.length, 1)
    const after = await client.events({ after: first?.position ?? 0 })
    assert.equal(after.length, 3)
    await assert.rejects(client.events({ after: -1 }), { path: 'after' })
  })
})
