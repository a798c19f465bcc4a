/** The tests of the documentation can fail: each way in which a page can be wrong is shown to be noticed. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { compareOutput } from './expected-output.ts'
import { readPage } from './markdown.ts'
import type { Page } from './markdown.ts'
import { stepsOf } from './steps.ts'
import { compileBlocks, openWorkplace, PageRun } from './workplace.ts'

const workplace = openWorkplace()
after(() => workplace[Symbol.dispose]())

let pageCount = 0

/** A page with the blocks, each of which begins with its info string. */
function pageOf(...blocks: readonly string[]): Page {
  pageCount += 1
  return readPage(`page-${pageCount}.md`, `# A page\n\n${blocks.map((block) => `\`\`\`${block}\n\`\`\`\n`).join('\n')}`)
}

async function carryOut(page: Page): Promise<number> {
  const run = new PageRun(workplace, page)
  try {
    for (const step of stepsOf(page)) await run.carryOut(step)
  } finally {
    await run.close()
  }
  return run.executed
}

describe('a page is refused', () => {
  for (const [what, page, complaint] of [
    ['whose block throws', pageOf("ts\nthrow new Error('no')"), /page-\d+\.md:4 ended with 1/],
    ['that shows another output', pageOf("ts\nconsole.log('a')", 'text output\nb'), /printed something else/],
    ['whose command fails', pageOf('sh\n$ node missing.js'), /ended with 1/],
    ['whose command prints something else', pageOf('sh\n$ echo a\nb'), /printed something else/],
    ['whose excerpt has changed', pageOf('ts from="src/core/states.ts"\nexport const NO = 1'), /is not what stands in/],
    ['whose JSON is none', pageOf('json\n{ a: 1 }'), /page-\d+\.md:4/],
    ['whose SQL is refused by its server', pageOf('sql postgres\nSELECT no_such_thing'), /page-\d+\.md:4 is refused/],
    ['whose SQL gives something else', pageOf('sql postgres\nSELECT 1', 'text output\n2'), /gives something else/],
    ['that names an id which nothing printed', pageOf('sh\n$ echo <id>'), /no id has been printed/],
  ] as const) {
    test(what, async () => {
      await assert.rejects(carryOut(page), complaint)
    })
  }

  for (const [what, page, complaint] of [
    ['with a block in an unknown language', pageOf('rust\nfn main() {}'), /can't run/],
    ['that does not say why a block is not run', pageOf('sh not-run\nnpm ci'), /does not say why/],
    ['whose block of commands has none', pageOf('sh\nnpm ci'), /before the first/],
    ['that continues nothing', pageOf('ts continue\nlet a = 1'), /continues a block/],
    ['with an output of nothing', pageOf('text output\na'), /follows nothing/],
  ] as const) {
    test(what, () => {
      assert.throws(() => stepsOf(page), complaint)
    })
  }
})

test('a block that does not compile is told with its page and line', async () => {
  const page = pageOf(
    "ts\nimport { openMillrace } from 'millrace'\nconst url: number = 'sqlite:./a.db'\nawait openMillrace(url)",
  )
  const told = await compileBlocks(workplace, [{ page, steps: stepsOf(page) }])
  assert.match(told, /page-\d+\/line-4\.ts\(5,7\): error TS2322/)
  assert.match(told, /page-\d+\/line-4\.ts\(6,20\): error TS2345/)
})

test('blocks that continue each other are one module, and files of a page can be imported', async () => {
  const page = pageOf(
    'ts\n// file: one.ts\nexport const one = 1',
    "ts\nimport { one } from './one.ts'\nconst two = one + one",
    'ts continue\nconsole.log(two)',
    'text output\n2',
    'sh not-run="needs a network"\ncurl example.com',
  )
  assert.equal(await carryOut(page), 2)
})

test('a page that names DATABASE_URL has a database of its own, and nothing is left there of a block that is undone', async () => {
  const page = pageOf(
    'sql postgres\nCREATE TABLE kept (n integer); INSERT INTO kept VALUES (1)',
    'sql postgres undone\nINSERT INTO kept VALUES (2)',
    "ts\nconsole.log(new URL(process.env['DATABASE_URL'] ?? '').protocol)",
    'text output\npostgres:',
    'sh\n$ test -n "$DATABASE_URL" && echo given\ngiven',
    'sql postgres\nSELECT n, current_database() FROM kept',
    'text output\n1 | millrace_docs_…',
  )
  assert.equal(await carryOut(page), 5)
})

describe('an output is compared', () => {
  for (const [shown, printed, same] of [
    ['a b', 'a   b\n', true],
    ['a b', 'a c', false],
    ['a', 'a\nb', false],
    ['a\n…', 'a\nb\nc', true],
    ['…\nc', 'a\nb\nc', true],
    ['took <duration>', 'took 1m 30s', true],
    ['took <duration>', 'took ages', false],
    ['at <time>', 'at 2026-11-22T07:30:15.123Z', true],
    ['job <id>', 'job 01a20237-a34a-70c7-b4da-541ca9a38da4', true],
    ['job <id>', 'job 17', false],
    ['<n> jobs', '1,000 jobs', true],
    ['a.c', 'abc', false],
  ] as const) {
    test(`${JSON.stringify(shown)} ${same ? 'is' : 'is not'} ${JSON.stringify(printed)}`, () => {
      assert.equal(compareOutput(shown, printed) === null, same)
    })
  }
})
