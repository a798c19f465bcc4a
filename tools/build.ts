/**
 * Builds `dist/` from `src/`: JavaScript, declarations and source maps, the migrations, an executable bin.
 *
 *     npm run build
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, globSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = join(import.meta.dirname, '..')

function build(): void {
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  compile()
  for (const file of globSync('**/migrations/*.sql', { cwd: join(root, 'src') })) copy(file)
  chmodSync(join(root, 'dist/cli/bin.js'), 0o755)
}

function compile(): void {
  const bin = join(root, 'node_modules/typescript/bin/tsc')
  const { status } = spawnSync(process.execPath, [bin, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(1)
}

function copy(file: string): void {
  const target = join(root, 'dist', file)
  mkdirSync(dirname(target), { recursive: true })
  copyFileSync(join(root, 'src', file), target)
}

build()
