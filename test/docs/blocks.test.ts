/** Every code block of README.md, ARCHITECTURE.md and docs/ is compiled and run. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { executedPages } from './pages.ts'
import { stepsOf } from './steps.ts'
import { compileBlocks, openWorkplace, PageRun } from './workplace.ts'

const workplace = openWorkplace()
after(() => workplace[Symbol.dispose]())

const steppedPages = executedPages.map((page) => ({ page, steps: stepsOf(page) }))

test('every TypeScript block compiles under the strictest settings', async () => {
  const count = steppedPages.flatMap(({ steps }) => steps.filter(({ kind }) => kind === 'module')).length
  assert.ok(count > 0, 'no page has a TypeScript block that is run')
  assert.equal(await compileBlocks(workplace, steppedPages), '')
})

test('every block that is not run says why', (context) => {
  const shown = steppedPages.flatMap(({ page, steps }) =>
    steps.flatMap((step) =>
      step.kind === 'shown' ? [`${page.path}:${step.line} ${step.language}: ${step.reason}`] : [],
    ),
  )
  for (const line of shown) context.diagnostic(`not run: ${line}`)
  const executed = steppedPages.flatMap(({ steps }) => steps.filter(({ kind }) => kind !== 'shown'))
  assert.ok(shown.length < executed.length, `${shown.length} blocks are not run, and only ${executed.length} steps are`)
})

/** Pages of plain prose. */
const PROSE = /^docs\/(?:decisions\/|performance\.md$)/

describe('every page', { concurrency: 2 }, () => {
  for (const { page, steps } of steppedPages) {
    test(`${page.path} does what it shows`, async () => {
      const run = new PageRun(workplace, page)
      try {
        for (const step of steps) await run.carryOut(step)
      } finally {
        await run.close()
      }
      assert.equal(run.executed > 0, !PROSE.test(page.path), `${run.executed} blocks of ${page.path} were run`)
    })
  }
})
