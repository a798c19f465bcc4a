import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

import type { Link, Page } from './markdown.ts'
import { pages, root } from './pages.ts'

test('every relative link leads to a file, and every anchor to a heading', () => {
  const relative = pages.flatMap((page) =>
    page.links.filter(({ target }) => !/^[a-z]+:/.test(target)).map((link) => ({ page, link })),
  )
  assert.ok(relative.length > 0, 'no page has a relative link')
  const broken = relative.filter(({ page, link }) => !resolves(page, link))
  assert.deepEqual(
    broken.map(({ page, link }) => `${page.path}:${link.line} ${link.target}`),
    [],
  )
})

test('every page of the documentation can be reached from the README', () => {
  const reached = new Set<string>()
  const visit = (path: string): void => {
    const page = pages.find((found) => found.path === path)
    if (page === undefined || reached.has(path)) return
    reached.add(path)
    for (const { target } of page.links) visit(pathOf(page, target))
  }
  visit('README.md')
  assert.deepEqual(
    pages.filter(({ path }) => !reached.has(path)).map(({ path }) => path),
    [],
  )
})

function pathOf(page: Page, target: string): string {
  const [file = ''] = target.split('#')
  return file === '' ? page.path : join(dirname(page.path), decodeURI(file)).replaceAll('\\', '/')
}

function resolves(page: Page, { target }: Link): boolean {
  const [, anchor] = target.split('#')
  const path = pathOf(page, target)
  if (!existsSync(join(root, path))) return false
  return anchor === undefined || pages.find((found) => found.path === path)?.anchors.includes(anchor) === true
}
