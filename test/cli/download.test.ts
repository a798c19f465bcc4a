import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { defineJob, handle, openMillrace } from '../../src/index.ts'
import { writeTree } from '../support/temporary-tree.ts'
import { runCli } from './run-cli.ts'
import type { CliRun } from './run-cli.ts'

const draw = defineJob('map.draw', { service: 'maps' })

test('download writes an artifact to a file, and over one that is there only if told to', async (context) => {
  const folder = writeTree(context, {})
  const url = `sqlite:${join(folder, 'jobs.db')}`
  await using mill = await openMillrace(url)
  await mill.work([handle(draw, ({ artifact }) => artifact.write('map.svg', '<svg/>'))])
  const { artifactId } = (await mill.run(draw)) as { readonly artifactId: string }
  const download = (...flags: readonly string[]): Promise<CliRun> =>
    runCli(['download', artifactId, ...flags], { cwd: folder, env: { MILLRACE_URL: url } })
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8')

  const [named, elsewhere, piped] = await Promise.all([
    download(),
    download('--to', 'other.svg', '--json'),
    download('--to', '-'),
  ])
  assert.equal(named.stdout.trim().endsWith('/map.svg'), true, named.stderr)
  assert.equal(read('map.svg'), '<svg/>')
  const { file, sizeBytes } = JSON.parse(elsewhere.stdout) as { readonly file: string; readonly sizeBytes: number }
  assert.equal(readFileSync(file, 'utf8').length, sizeBytes)
  assert.deepEqual([piped.code, piped.stdout], [0, '<svg/>'])

  const [again, forced, nowhere] = await Promise.all([
    download(),
    download('--to', 'other.svg', '--force'),
    download('--to', 'no/such/folder/map.svg'),
  ])
  assert.equal(again.code, 2)
  assert.match(again.stderr, /--to: expected a file that is not there yet, or --force/)
  assert.equal(forced.code, 0)
  assert.equal(nowhere.code, 2)
  assert.match(nowhere.stderr, /a folder that is there/)

  mkdirSync(join(folder, 'empty'))
  rmSync(join(folder, 'jobs.db-artifacts'), { recursive: true })
  const gone = await download('--to', 'empty/map.svg')
  assert.deepEqual([gone.code, /artifact-missing/.test(gone.stderr)], [3, true])
})
