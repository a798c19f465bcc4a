/** The pages of the project, read once. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { readPage } from './markdown.ts'
import type { Page } from './markdown.ts'

export const root: string = join(import.meta.dirname, '..', '..')

/** Every page that a reader of the project may open. */
export const pages: readonly Page[] = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md'], {
  cwd: root,
  exclude: ['**/node_modules/**'],
})
  .map((path) => path.replaceAll('\\', '/'))
  .toSorted()
  .map((path) => readPage(path, readFileSync(join(root, path), 'utf8')))

/** The pages whose blocks are executed. */
export const executedPages: readonly Page[] = pages.filter(
  ({ path }) => path === 'README.md' || path === 'ARCHITECTURE.md' || path.startsWith('docs/'),
)

/** @throws {Error} if it is not there. */
export function pageAt(path: string): Page {
  const page = pages.find((found) => found.path === path)
  if (page === undefined) throw new Error(`there is no page ${path}`)
  return page
}
