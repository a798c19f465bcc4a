import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { openMillrace } from 'millrace'
import type { Millrace } from 'millrace'
import { handlers } from '../../examples/map-export/index.ts'
import { exportMap } from '../../examples/map-export/jobs.ts'
import type { MapOrder } from '../../examples/map-export/map-request.ts'

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** A Millrace in memory whose worker makes maps. */
async function openPrinter(context: TestContext): Promise<Millrace> {
  const mill = await openMillrace('sqlite::memory:', { service: 'workers', logger: SILENT })
  context.after(() => mill.close())
  await mill.work(handlers)
  return mill
}

const luxembourg: MapOrder = { region: 'LUX', paper: 'A5', dpi: 72 }

describe('a map export', () => {
  test('goes through its phases to a PNG whose size and hash are known', async (context) => {
    const mill = await openPrinter(context)
    const { job } = await mill.enqueue(exportMap, luxembourg)
    const done = await mill.waitFor(job, { timeout: '60s' })
    assert.equal(done.state, 'completed')
    assert.deepEqual(
      done.phases.map(({ name, state }) => [name, state]),
      [
        ['load', 'done'],
        ['project', 'done'],
        ['render', 'done'],
        ['store', 'done'],
      ],
    )
    assert.equal(done.output?.region, 'Luxembourg')
    const [artifact] = await mill.artifacts(job)
    assert.equal(artifact?.name, 'map.png')
    assert.equal(artifact.contentType, 'image/png')
    const { bytes, path } = await opened(mill, artifact.id)
    assert.match(path ?? '', /\.png$/)
    assert.equal(bytes.subarray(1, 4).toString('latin1'), 'PNG')
    assert.equal(bytes.length, artifact.sizeBytes)
    assert.equal(createHash('sha256').update(bytes).digest('hex'), artifact.sha256)
    assert.equal(done.output.file.sha256, artifact.sha256)
    assert.notEqual(artifact.expiresAt, null)
  })

  test('of a region that does not exist fails at once and for good, and says what might have been meant', async (context) => {
    const mill = await openPrinter(context)
    const { job } = await mill.enqueue(exportMap, { region: 'XX' })
    const { state, failures, error, phases } = await mill.waitFor(job, { timeout: '60s' })
    assert.deepEqual({ state, failures, fatal: error?.verdict?.fatal }, { state: 'failed', failures: 1, fatal: true })
    assert.match(error?.message ?? '', /XX/)
    assert.deepEqual(
      phases.map((phase) => phase.state),
      ['failed', 'pending', 'pending', 'pending'],
    )
  })

  test('of an impossible size fails at once and for good', async (context) => {
    const mill = await openPrinter(context)
    const { job } = await mill.enqueue(exportMap, { ...luxembourg, paper: { widthMm: 2000, heightMm: 2000 }, dpi: 600 })
    const { state, failures, error } = await mill.waitFor(job, { timeout: '60s' })
    assert.deepEqual({ state, failures, fatal: error?.verdict?.fatal }, { state: 'failed', failures: 1, fatal: true })
    assert.match(error?.message ?? '', /invalid dimensions/)
  })

  test('ordered with a value that no map can have is refused before it is a job', async (context) => {
    const mill = await openPrinter(context)
    await assert.rejects(mill.enqueue(exportMap, { region: 'FRA', dpi: 1_000 }), {
      code: 'input-invalid',
      path: 'input.dpi',
    })
    assert.deepEqual((await mill.list()).jobs, [])
  })
})

async function opened(mill: Millrace, id: string): Promise<{ readonly bytes: Buffer; readonly path: string | null }> {
  const artifact = await mill.openArtifact(id)
  return { bytes: Buffer.from(await artifact.bytes()), path: artifact.path }
}
