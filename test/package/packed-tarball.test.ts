import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'

import manifest from '../../package.json' with { type: 'json' }

const project = join(import.meta.dirname, '../..')
/** An empty project of somebody else, with nothing but the tarball in it. */
const consumer = mkdtempSync(join(tmpdir(), 'millrace-consumer-'))
const installed = join(consumer, 'node_modules', manifest.name)
const doors = Object.keys(manifest.exports).map((door) => manifest.name + door.slice(1))
const codeDoors = doors.filter((door) => !door.endsWith('.json'))

function run(program: string, args: readonly string[], cwd: string = consumer): string {
  return execFileSync(program, args, { cwd, encoding: 'utf8', shell: process.platform === 'win32' })
}

function runNode(script: string, inputType: 'module' | 'commonjs' = 'module'): string {
  return run(process.execPath, [`--input-type=${inputType}`, '--eval', script])
}

/**
 * A job from definition to output, as the first page of the documentation does it, with a durable file. The schema is
 * written by hand because Millrace brings none along.
 */
function jobScript(): string {
  return `
    import { defineJob, handle, openMillrace } from 'millrace'

    const anything = { '~standard': { version: 1, vendor: 'consumer', validate: (value) => ({ value }) } }
    const greet = defineJob('greeting.write', { service: 'workers', input: anything, output: anything })
    const greetHandler = handle(greet, ({ input }) => ({ text: 'Hello, ' + input.name }))

    const mill = await openMillrace('sqlite:./jobs.db', { service: 'workers' })
    const { outcome, job } = await mill.enqueue(greet, { name: 'Ann' })
    await mill.work([greetHandler], { concurrency: 1 })
    const done = await mill.waitFor(job, { timeout: '10s' })
    await mill.close()
    console.log(JSON.stringify({ outcome, state: done.state, output: done.output }))
  `
}

/** Handlers in a file of their own, which threads and processes load. */
function handlersScript(): string {
  return `
    import { defineJob, handle } from 'millrace'
    import { threadId } from 'node:worker_threads'

    const handler = (isolation) =>
      handle(defineJob('greeting.' + isolation, { service: 'workers' }), { module: import.meta.url, isolation })
        .phase('run', ({ log }) => {
          const here = { pid: process.pid, threadId }
          log.info('here', here)
          return 'worked on in ' + JSON.stringify(here)
        })
    export const handlers = [handler('thread'), handler('process')]
  `
}

function isolationScript(isolation: string): string {
  return `
    import { openMillrace } from 'millrace'
    import { handlers } from './handlers.mjs'

    const mill = await openMillrace('sqlite::memory:')
    const handler = handlers.find(({ isolation }) => isolation === '${isolation}')
    await mill.work([handler], { concurrency: 1 })
    const { job } = await mill.enqueue(handler.definition)
    const { output } = await mill.waitFor(job)
    const { detail } = (await mill.events({ job })).find(({ name }) => name === 'job:log')
    await mill.close()
    console.log(JSON.stringify({ pid: process.pid, here: detail.fields, output }))
  `
}

describe('the packed tarball', () => {
  before(() => {
    assert.ok(existsSync(join(project, 'dist')), 'there is no dist/: run npm run build, or npm run test:package')
    run('npm', ['pack', '--silent', '--pack-destination', consumer], project)
    const tarball = globSync('*.tgz', { cwd: consumer })[0] ?? 'nothing was packed'
    writeFileSync(join(consumer, 'package.json'), '{ "name": "consumer", "private": true }')
    run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefer-offline', `./${tarball}`])
  })

  after(() => rmSync(consumer, { recursive: true, maxRetries: 3 }))

  for (const door of doors) {
    const options = door.endsWith('.json') ? `, { with: { type: 'json' } }` : ''
    test(`import('${door}') opens the door`, () => {
      assert.equal(runNode(`console.log(typeof (await import('${door}'${options})))`).trim(), 'object')
    })

    test(`require('${door}') opens the door`, () => {
      assert.equal(runNode(`console.log(typeof require('${door}'))`, 'commonjs').trim(), 'object')
    })
  }

  test('types of every door hold in a strict project that checks its libraries', () => {
    const imports = codeDoors.map((door, index) => `import * as door${index} from '${door}'\nvoid door${index}`)
    writeFileSync(join(consumer, 'consumer.mts'), imports.join('\n'))
    const options = [
      '--noEmit',
      '--strict',
      '--exactOptionalPropertyTypes',
      '--target',
      'es2024',
      '--module',
      'nodenext',
    ]
    const types = ['--types', 'node', '--typeRoots', join(project, 'node_modules/@types')]
    const tsc = join(project, 'node_modules/typescript/bin/tsc')
    assert.equal(run(process.execPath, [tsc, ...options, ...types, 'consumer.mts']), '')
  })

  test('millrace --help names the commands', () => {
    assert.match(run('npx', ['--no-install', 'millrace', '--help']), /Usage: millrace/)
  })

  test('a job runs from the installed tarball and its output comes back', () => {
    assert.deepEqual(JSON.parse(runNode(jobScript())), {
      outcome: 'created',
      state: 'completed',
      output: { text: 'Hello, Ann' },
    })
    assert.ok(existsSync(join(consumer, 'jobs.db')))
  })

  test('the test kit of the installed tarball runs a job', () => {
    const script = `
      import { defineJob, handle } from 'millrace'
      import { runJob } from 'millrace/testing'
      const { job } = await runJob(handle(defineJob('ping', { service: 'consumer' }), () => 'pong'))
      console.log(job.output)
    `
    assert.equal(runNode(script).trim(), 'pong')
  })

  for (const isolation of ['thread', 'process']) {
    test(`a job runs in a ${isolation} from the installed tarball`, () => {
      writeFileSync(join(consumer, 'handlers.mjs'), handlersScript())
      const { pid, here, output } = JSON.parse(runNode(isolationScript(isolation))) as Record<string, unknown>
      assert.equal(output, `worked on in ${JSON.stringify(here)}`)
      assert.equal(pid === (here as { readonly pid: unknown }).pid, isolation === 'thread')
    })
  }

  test('every migration of the sources is shipped beside the code that runs it', () => {
    const migrations = globSync('**/migrations/*.sql', { cwd: join(project, 'src') })
    assert.notEqual(migrations.length, 0)
    assert.deepEqual(
      globSync('**/migrations/*.sql', { cwd: join(installed, 'dist') }).toSorted(),
      migrations.toSorted(),
    )
  })

  test('every source map leads to a source that is shipped', () => {
    const maps = globSync('dist/**/*.map', { cwd: installed })
    assert.notEqual(maps.length, 0)
    for (const map of maps) {
      const { sources } = JSON.parse(readFileSync(join(installed, map), 'utf8')) as { sources: readonly string[] }
      for (const source of sources) assert.ok(existsSync(resolve(installed, dirname(map), source)), `${map}: ${source}`)
    }
  })

  test('nothing but code, sources, licence and readme is shipped', () => {
    const shipped = new Set(globSync('*', { cwd: installed }))
    for (const known of ['LICENSE', 'README.md', 'dist', 'package.json', 'src', 'node_modules']) shipped.delete(known)
    assert.deepEqual([...shipped], [])
    assert.deepEqual(globSync('**/*.test.*', { cwd: installed, exclude: ['node_modules/**'] }), [])
  })
})
