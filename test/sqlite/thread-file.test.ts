/** The store's thread and its migrations are found from the sources, from what is published, and from bundles of it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { build } from 'esbuild'

import { findMigrations, findThreadFile } from '../../src/runtime/package-files.ts'
import { FILES } from '../../src/sqlite/files.ts'

const project = join(import.meta.dirname, '../..')
const run = promisify(execFile)

/** A folder with what is published in its `node_modules`, and one without. */
const home = mkdtempSync(join(tmpdir(), 'millrace-bundles-'))
const consumer = join(home, 'consumer')
const alone = join(home, 'alone')
const installed = join(consumer, 'node_modules', 'millrace')

const USE = `
  async function use(openMillrace, url, options) {
    try {
      const mill = await openMillrace(url, { maintenance: false, ...options })
      await mill.close()
      return 'opened'
    } catch (error) {
      return error.code + ': ' + error.message
    }
  }
  const [, , url, options = '{}'] = process.argv`

const ESM = `import { openMillrace } from 'millrace'
  ${USE}
  console.log(await use(openMillrace, url, JSON.parse(options)))`

const COMMON = `const { openMillrace } = require('millrace')
  ${USE}
  use(openMillrace, url, JSON.parse(options)).then(console.log)`

interface Bundle {
  readonly format: 'esm' | 'cjs'
  readonly external: readonly string[]
  readonly out: string
}

async function bundle({ format, external, out }: Bundle): Promise<void> {
  await build({
    stdin: { contents: format === 'esm' ? ESM : COMMON, resolveDir: consumer },
    bundle: true,
    platform: 'node',
    target: 'node22',
    logLevel: 'error',
    external: [...external],
    format,
    outfile: out,
    logOverride: { 'empty-import-meta': 'silent' },
  })
}

/** What a program says of opening a store. */
async function open(program: string, url: string, options: object = {}): Promise<string> {
  const flags = ['--disable-warning=ExperimentalWarning']
  const { stdout } = await run(process.execPath, [...flags, program, url, JSON.stringify(options)], {
    cwd: join(program, '..'),
  })
  return stdout.trim()
}

let files = 0
function newUrl(): string {
  files += 1
  return `sqlite:${join(home, `${files}.db`)}`
}

test('from the sources the thread is the source, and so are the migrations', () => {
  assert.equal(fileURLToPath(findThreadFile(FILES)), join(project, 'src/sqlite/thread.ts'))
  assert.equal(fileURLToPath(findMigrations(FILES)), join(project, 'src/sqlite/migrations/'))
})

test('a thread file that is named must be there', () => {
  assert.throws(() => findThreadFile(FILES, join(home, 'nowhere.js')), {
    code: 'thread-missing',
    message: /nowhere\.js/,
  })
})

describe('what is published', () => {
  before(async () => {
    mkdirSync(alone, { recursive: true })
    mkdirSync(installed, { recursive: true })
    const tsc = join(project, 'node_modules/typescript/bin/tsc')
    const options = ['-p', 'tsconfig.build.json', '--outDir', join(installed, 'dist')]
    await run(process.execPath, [tsc, ...options], { cwd: project })
    cpSync(join(project, 'src/sqlite/migrations'), join(installed, 'dist/sqlite/migrations'), { recursive: true })
    cpSync(join(project, 'package.json'), join(installed, 'package.json'))
    writeFileSync(join(consumer, 'package.json'), '{ "private": true }')
    writeFileSync(join(consumer, 'program.mjs'), ESM)
    writeFileSync(join(consumer, 'program.cjs'), COMMON)
  })

  after(() => rmSync(home, { recursive: true, force: true, maxRetries: 3 }))

  for (const program of ['program.mjs', 'program.cjs']) {
    test(`opens with a thread and without one, from ${program}`, async () => {
      assert.equal(await open(join(consumer, program), newUrl()), 'opened')
      assert.equal(await open(join(consumer, program), newUrl(), { thread: false }), 'opened')
      assert.equal(await open(join(consumer, program), 'sqlite::memory:'), 'opened')
    })
  }

  for (const format of ['esm', 'cjs'] as const) {
    const name = `bundle.${format === 'esm' ? 'mjs' : 'cjs'}`

    test(`opens from a bundle beside it that leaves it out, ${format}`, async () => {
      const out = join(consumer, `external.${name}`)
      await bundle({ format, external: ['millrace'], out })
      assert.equal(await open(out, newUrl()), 'opened')
    })

    test(`opens from a bundle that holds it, where the package is still installed, ${format}`, async () => {
      const out = join(consumer, name)
      await bundle({ format, external: [], out })
      assert.equal(await open(out, newUrl()), 'opened')
      assert.equal(await open(out, newUrl(), { thread: false }), 'opened')
    })

    test(`from a bundle far away says which setting is missing, and opens with the thread file named, ${format}`, async () => {
      const out = join(alone, name)
      await bundle({ format, external: [], out })
      const refused = await open(out, newUrl())
      assert.match(refused, /^thread-missing: .*esbuild: --external:millrace.*threadFile/)
      const threadFile = join(installed, 'dist/sqlite/thread.js')
      assert.equal(await open(out, newUrl(), { threadFile }), 'opened')
      assert.match(await open(out, 'sqlite::memory:'), /^thread-missing: /)
    })
  }

  test('a bundle of the thread itself opens with the migrations beside it', async () => {
    const out = join(alone, 'threaded.mjs')
    await bundle({ format: 'esm', external: [], out })
    const threadFile = join(alone, 'store', 'thread.mjs')
    await build({
      entryPoints: [join(installed, 'dist/sqlite/thread.js')],
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: threadFile,
      logLevel: 'error',
    })
    assert.match(await open(out, newUrl(), { threadFile }), /^thread-missing: /)
    cpSync(join(project, 'src/sqlite/migrations'), join(alone, 'store/migrations'), { recursive: true })
    assert.equal(await open(out, newUrl(), { threadFile }), 'opened')
  })
})
