/**
 * Random commands on the model and on a real store, side by side. A failure prints its seed and the shortest run of commands that shows it;
 * `MILLRACE_SEED=<seed>` or `MILLRACE_SEED=<seed>:<path>` plays it again.
 */
import { test } from 'node:test'

import * as fc from 'fast-check'

import { commands } from '../support/command.ts'
import { CommandRun } from '../support/command-run.ts'
import { openModel } from '../support/open-model.ts'
import { openPostgres } from '../support/open-postgres.ts'
import { openSqliteFile, openSqliteInMemory } from '../support/open-sqlite.ts'
import { scaled } from '../support/scale.ts'
import type { OpenStore } from '../support/store-under-test.ts'

const LONGEST_MS = 120_000

async function agree(open: OpenStore, runs: number): Promise<void> {
  const [seed, path] = (process.env['MILLRACE_SEED'] ?? '').split(/:(.*)/s)
  const property = fc.asyncProperty(commands, async (made) => {
    const [oracle, other] = await Promise.all([openModel(), open()])
    try {
      await new CommandRun({ oracle, other }).run(made)
    } finally {
      await other.close()
    }
  })
  await fc.assert(property, {
    numRuns: scaled(runs),
    // Shrinking ends then too, and what it has come to is printed.
    plugins: [fc.interruptAfterTimeLimit(scaled(LONGEST_MS), { failOnInterrupt: true })],
    ...(seed === undefined || seed === '' ? {} : { seed: Number(seed) }),
    ...(path === undefined || path === '' ? {} : { path }),
  })
}

test('a database in memory answers random commands as the model does', () => agree(openSqliteInMemory, 250))

test('a database in a file with a thread answers random commands as the model does', () => agree(openSqliteFile, 50))

test('a schema of a PostgreSQL server answers random commands as the model does', () => agree(openPostgres, 20))
