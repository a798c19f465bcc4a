import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { defineJob } from '../../src/client/define-job.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import { handle } from '../../src/worker/handler.ts'
import type { Handler } from '../../src/worker/handler.ts'
import { openCells } from '../../src/worker/isolation/open-cells.ts'
import { flagsFor } from '../../src/worker/isolation/process-flags.ts'
import { steadyHandler } from './isolated-handlers.ts'

describe('threads and processes of handlers', () => {
  test('are refused as a whole, and nothing is left unheard, if one handler does not say where it is', async (context) => {
    const unheard: unknown[] = []
    const note = (reason: unknown): number => unheard.push(reason)
    process.on('unhandledRejection', note)
    context.after(() => process.off('unhandledRejection', note))
    const lost = handle(defineJob('lost', { service: 'tests' }), () => null)
    const isolated: Handler = { ...lost, isolation: 'thread' }
    const opening = openCells([steadyHandler, isolated], { runtime: systemRuntime(), most: 2, threadFile: undefined })
    await assert.rejects(opening, { code: 'handler-unloadable' })
    assert.deepEqual(unheard, [])
  })

  test('that a system call holds up are not waited for when a worker is refused', async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-cells-'))
    context.after(() => rmSync(folder, { recursive: true }))
    const [blocked, release] = [join(folder, 'blocked'), join(folder, 'release')]
    execFileSync('sh', ['-c', 'mkfifo "$0" "$1"', blocked, release])
    const inFolder = (name: string, text: string): Handler => {
      writeFileSync(join(folder, name), text)
      return { ...steadyHandler, module: pathToFileURL(join(folder, name)).href }
    }
    const script = `echo > '${blocked}'; read line < '${release}'`
    const blocks = inFolder(
      'blocks.mjs',
      `import { execFileSync } from 'node:child_process'; execFileSync('sh', ['-c', ${JSON.stringify(script)}])`,
    )
    // It is refused, but not before the other one is held up.
    const exportsNothing = inFolder(
      'nothing.mjs',
      `import { readFileSync } from 'node:fs'; readFileSync(${JSON.stringify(blocked)})`,
    )
    const opening = openCells([blocks, exportsNothing], { runtime: systemRuntime(), most: 2, threadFile: undefined })
    await assert.rejects(opening, { code: 'handler-unloadable' })
    writeFileSync(release, 'now\n')
  })

  for (const [given, kept] of [
    [
      ['--import', './loader.js', '--conditions=x'],
      ['--import', './loader.js', '--conditions=x'],
    ],
    [
      ['--inspect-port', '9230', '--import', './loader.js'],
      ['--import', './loader.js'],
    ],
    [['--inspect=9230', '--no-warnings'], ['--no-warnings']],
    [
      ['--inspect', '--import', './loader.js'],
      ['--import', './loader.js'],
    ],
    [['--no-warnings', '-e', '--text'], ['--no-warnings']],
  ] as const) {
    test(`get of the flags ${given.join(' ')} those that are theirs`, () => {
      assert.deepEqual(flagsFor(given), kept)
    })
  }
})
