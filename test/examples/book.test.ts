/** The contract of the book example, held with the test kit: what its service does to a book, and what it leaves to others. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { openTestMill, runPhase } from 'millrace/testing'
import type { TestMill } from 'millrace/testing'
import type { Millrace } from 'millrace'
import { openEpub } from '../../examples/book/epub.ts'
import { MILLER, makeEpub } from '../../examples/book/example-book.ts'
import { readBookFrom } from '../../examples/book/handler.ts'
import { readBook } from '../../examples/book/jobs.ts'
import { Shelf } from '../../examples/book/shelf.ts'
import { uploadBook } from '../../examples/book/web.ts'

const upload = { bookId: 'b1', epub: makeEpub('The Miller & the Flood', MILLER), user: 'ann' }

interface Library {
  readonly kit: TestMill
  readonly shelf: Shelf
  /** The web app: a service of its own. */
  readonly web: Millrace
  readonly handlers: readonly [ReturnType<typeof readBookFrom>]
}

async function openLibrary(context: TestContext): Promise<Library> {
  const kit = await openTestMill()
  context.after(() => kit.close())
  const shelf = new Shelf(':memory:')
  context.after(() => shelf[Symbol.dispose]())
  return { kit, shelf, web: kit.service('web'), handlers: [readBookFrom(shelf)] }
}

describe('a book that is uploaded', () => {
  test('is read to READY, by the library alone', async (context) => {
    const { kit, shelf, web, handlers } = await openLibrary(context)
    const { result: job, processed } = await kit.monitorJobProcessing('library', async () => {
      const ordered = await uploadBook(web, shelf, upload)
      await kit.drain(handlers)
      return ordered.job
    })
    const { output } = await kit.waitForJobCompletion(job, 1_000)

    assert.deepEqual(output, { bookId: 'b1', title: 'The Miller & the Flood', chapters: 3, words: 94 })
    assert.deepEqual(shelf.book('b1'), { id: 'b1', status: 'READY', title: 'The Miller & the Flood', words: 94 })
    assert.deepEqual(
      shelf.chapters('b1').map(({ title }) => title),
      ['The Mill', 'The Flood', 'The New Wheel'],
    )
    assert.match(shelf.chapters('b1')[1]?.text ?? '', /^One night the river rose & carried/)
    assert.deepEqual(
      processed.map(({ jobId, service }) => [jobId, service]),
      [[job.id, 'library']],
    )
  })

  test('has one service that reads it, and no type is without one', async (context) => {
    const { kit, shelf, web, handlers } = await openLibrary(context)
    await uploadBook(web, shelf, upload)
    await assert.rejects(kit.assertEveryTypeOwned(), { message: /book\.read: no service owns it/ })
    await assert.rejects(web.work(handlers), { code: 'owner-conflict' })
    await kit.worker(handlers)
    assert.deepEqual(await kit.assertOneOwner([readBook]), { 'book.read': 'library' })
    await kit.assertEveryTypeOwned()
    const workers = await kit.mill.getProcessorsByJobType('book.read')
    assert.deepEqual(
      workers.map(({ service }) => service),
      ['library'],
    )
  })

  test('is ordered by the web app, which works on nothing', async (context) => {
    const { kit, shelf, web } = await openLibrary(context)
    await uploadBook(web, shelf, upload)
    await kit.clock.advance('1h')
    await kit.assertEnqueued(readBook, { input: { bookId: 'b1' }, owner: 'ann', state: 'queued', count: 1 })
    assert.equal(shelf.book('b1').status, 'UPLOADED')
  })

  test('goes on after its second phase when the process that read it has died', async (context) => {
    const { kit, shelf, web, handlers } = await openLibrary(context)
    const [first, second] = [await kit.worker(handlers), await kit.worker(handlers)]
    const { job } = await uploadBook(web, shelf, upload)

    await first.crashAfterPhase('chapters')
    assert.equal(shelf.book('b1').status, 'READING')
    assert.equal(await second.claimOnce(), null)
    await kit.clock.advance('31s')
    await kit.mill.maintenance.runOnce()

    const taken = await second.claimOnce()
    assert.deepEqual([taken?.id, taken?.attempt, taken?.nextPhase], [job.id, 2, 'publish'])
    await second.runOnce()
    assert.equal(shelf.book('b1').status, 'READY')
    const { phases } = await kit.mill.get(job)
    // The first worker had begun to publish.
    assert.deepEqual(
      phases.map(({ attempts }) => attempts),
      [1, 1, 2],
    )
  })

  test('and then deleted fails once, for good, and holds up nobody', async (context) => {
    const { kit, shelf, web, handlers } = await openLibrary(context)
    const { job } = await uploadBook(web, shelf, upload)
    await uploadBook(web, shelf, { ...upload, bookId: 'b2' })
    shelf.delete('b1')

    const report = await kit.drain(handlers, { withScheduled: true })

    assert.deepEqual([report.claimed, report.failed, report.completed, report.movedMs], [2, 1, 1, 0])
    const { state, failures, error } = await kit.mill.get(job)
    assert.deepEqual({ state, failures, fatal: error?.verdict?.fatal }, { state: 'failed', failures: 1, fatal: true })
    assert.equal(error?.message, 'The book b1 is not on the shelf any more.')
    assert.equal(shelf.book('b2').status, 'READY')
  })

  test('twice is read once', async (context) => {
    const { kit, shelf, web, handlers } = await openLibrary(context)
    const { job } = await uploadBook(web, shelf, upload)
    shelf.delete('b1')
    const again = await uploadBook(web, shelf, upload)
    assert.deepEqual([again.outcome, again.job.id], ['duplicate', job.id])
    assert.equal((await kit.drain(handlers)).claimed, 1)
  })
})

describe('a file that is uploaded as a book', () => {
  test('is a zip with its type first and not compressed', () => {
    const [head, type] = [Buffer.from(upload.epub.subarray(0, 38)).toString('latin1'), upload.epub.subarray(38, 58)]
    assert.match(head, /^PK.*mimetype$/s)
    assert.equal(Buffer.from(type).toString('latin1'), 'application/epub+zip')
    assert.deepEqual(openEpub(upload.epub).pages, ['book/text/0.xhtml', 'book/text/1.xhtml', 'book/text/2.xhtml'])
  })

  test('and is none fails in its first phase, for good', async (context) => {
    const { shelf, handlers } = await openLibrary(context)
    shelf.add('b1', Buffer.from('no zip'))
    await assert.rejects(runPhase(handlers[0], 'unpack', { input: { bookId: 'b1' } }), {
      name: 'EpubError',
      message: 'The file is no zip archive, or a damaged one.',
    })
  })

  test('is read page by page, and says how far it has come', async (context) => {
    const { shelf, handlers } = await openLibrary(context)
    shelf.add('b1', upload.epub)
    const unpacked = await runPhase(handlers[0], 'unpack', { input: { bookId: 'b1' } })
    assert.deepEqual(
      unpacked.logs.map(({ message }) => message),
      ['"The Miller & the Flood" has 3 pages'],
    )
    const { result, progress } = await runPhase(handlers[0], 'chapters', {
      input: { bookId: 'b1' },
      results: { unpack: unpacked.result },
    })
    assert.deepEqual(
      result.map(({ title }) => title),
      ['The Mill', 'The Flood', 'The New Wheel'],
    )
    assert.deepEqual(
      progress.map(({ percent }) => Math.round(percent)),
      [33, 67, 100],
    )
  })
})
