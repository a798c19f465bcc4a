/** What a user meets in a signature can be named: every type of it can be imported from the same door. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { writeTree } from '../support/temporary-tree.ts'
import { root } from './pages.ts'
import { unnamedTypes } from './public-types.ts'

const DOOR = 'src/index.ts'

test('every type in a signature of millrace can be imported from it', () => {
  assert.deepEqual(unnamedTypes(root, [DOOR]), [])
})

test('every type in a signature of millrace/testing can be imported from it, or from millrace', () => {
  assert.deepEqual(unnamedTypes(root, ['src/testing/index.ts', DOOR]), [])
})

test('a type that cannot be imported is found wherever it stands where others see it, and nowhere else', (context) => {
  const tree = writeTree(context, {
    'index.ts': "export { open } from './mill.ts'\nexport type { Mill, Named } from './mill.ts'\n",
    'mill.ts': `
      import type { Report } from './report.ts'
      import { Base, type Aside } from './base.ts'
      export type Named = Wrapped<string>
      type Wrapped<T> = { readonly inner: T; readonly deep: Deep }
      export interface Deep { readonly a: 1 }
      export interface Options { readonly b: 2 }
      export class Mill extends Base {
        #hidden: Aside | null = null
        private also: Aside | null = null
        /** @internal */
        constructor(aside: Aside) { super() }
        async report(): Promise<Report> { const aside: Aside = this.also; return aside.report }
      }
      export function open(options: Options = { b: 2 } as Options, count: number = ([] as Aside[]).length): Mill { throw count }
    `,
    'report.ts': 'export interface Report { readonly c: Aside }\n',
    'base.ts':
      "import type { Seen } from './seen.ts'\nexport interface Aside {}\nexport class Base { readonly seen: Seen | null = null }\n",
    'seen.ts': 'export interface Seen {}\n',
  })
  const found = unnamedTypes(tree, ['index.ts'])
  assert.deepEqual(found.map(({ file, name, by }) => `${name} of ${file} in ${by}`).toSorted(), [
    'Deep of mill.ts in Named',
    'Options of mill.ts in open',
    'Report of report.ts in Mill',
    'Seen of seen.ts in Mill',
  ])
})
