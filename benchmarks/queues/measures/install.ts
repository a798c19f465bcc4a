import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nowMs } from '../clock.ts'
import { median } from '../figures.ts'
import { closureOf, sizeOf } from '../installed-packages.ts'
import { againstFirst, entriesOf } from './measure.ts'
import type { Figures, MainBench, Measure } from './measure.ts'

const ROOT = join(import.meta.dirname, '../../..')
/** Where the other packages are installed already. */
const BENCHMARKS = join(ROOT, 'benchmarks')

/** What an application writes into its manifest, and imports. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  millrace: ['millrace'],
  plainjob: ['plainjob', 'better-sqlite3'],
  bullmq: ['bullmq', 'ioredis'],
  'graphile-worker': ['graphile-worker'],
  'pg-boss': ['pg-boss'],
  'bullmq-postgres': ['bullmq', 'pg'],
}

export const install: Measure = {
  name: 'install',
  title: 'Install and import',
  about: (count) =>
    `The files that stand in \`node_modules\` after an installation for production, without a server where one is needed; and what the import takes, the median of ${count} fresh processes less that of empty ones.`,
  entries: entriesOf(['millrace', 'plainjob', 'bullmq', 'graphile-worker', 'pg-boss', 'bullmq-postgres'], ['best']),
  base: againstFirst,
  figures: [
    { key: 'sizeKb', label: 'KB', digits: 0, compared: true },
    { key: 'packages', label: 'packages', digits: 0, compared: true },
    { key: 'importMs', label: 'import, ms', digits: 0, compared: true },
  ],
  count: { full: 10, quick: 10, tiny: 1 },
  run: async ({ contender, place, count }: MainBench): Promise<Figures> => {
    const names = PACKAGES[contender.name] ?? []
    const folder = contender.name === 'millrace' ? installMillrace(place.folder) : BENCHMARKS
    if (folder === null) return {}
    const packages = closureOf(names, folder)
    const program = names.map((name) => `await import('${name}')`).join(';')
    return {
      sizeKb: packages.reduce((sum, path) => sum + sizeOf(path), 0) / 1_024,
      packages: packages.length,
      importMs: startMs(program, folder, count) - startMs('', folder, count),
    }
  },
}

/** As an application would: from the tarball, into an empty folder, dependencies from the registry. Null: it could not be installed. */
function installMillrace(folder: string): string | null {
  const packed =
    runNpm(['run', 'build', '--silent'], ROOT) && runNpm(['pack', '--silent', '--pack-destination', folder], ROOT)
  const application = join(folder, 'application')
  mkdirSync(application)
  writeFileSync(join(application, 'package.json'), JSON.stringify({ private: true }))
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? ''
  const args = ['install', '--omit=dev', '--no-audit', '--no-fund', join(folder, tarball)]
  return packed && runNpm(args, application) ? application : null
}

function runNpm(args: readonly string[], folder: string): boolean {
  const { status } = spawnSync('npm', args, {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status !== 0)
    process.stderr.write(`npm ${args[0]} ended with ${status}: the installation of Millrace is not measured\n`)
  return status === 0
}

function startMs(program: string, folder: string, count: number): number {
  const timings = Array.from({ length: count }, () => {
    const startedAt = nowMs()
    const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program]
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
    if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`)
    return nowMs() - startedAt
  })
  return median(timings)
}
