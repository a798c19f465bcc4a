import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
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

test('a download to what cannot be written says so, and leaves what is there', async (context) => {
  const folder = writeTree(context, { 'there/kept.txt': 'kept' })
  const url = `sqlite:${join(folder, 'jobs.db')}`
  await using mill = await openMillrace(url)
  await mill.work([handle(draw, ({ artifact }) => artifact.write('map.svg', '<svg/>'))])
  const { artifactId } = (await mill.run(draw)) as { readonly artifactId: string }
  mkdirSync(join(folder, 'empty'))
  const server = createServer().listen(join(folder, 'socket'))
  context.after(() => server.close())
  await once(server, 'listening')
  const download = (to: string): Promise<CliRun> =>
    runCli(['download', artifactId, '--force', '--to', to], { cwd: folder, env: { MILLRACE_URL: url } })

  const [full, empty, socket] = await Promise.all([download('there'), download('empty'), download('socket')])
  for (const run of [full, empty]) {
    assert.equal(run.code, 2, run.stderr)
    assert.match(run.stderr, /--to: expected the path of a file, not of a folder/)
  }
  assert.equal(readFileSync(join(folder, 'there/kept.txt'), 'utf8'), 'kept')
  assert.equal(statSync(join(folder, 'empty')).isDirectory(), true)
  assert.deepEqual([socket.code, existsSync(join(folder, 'socket'))], [1, true], socket.stderr)
})
