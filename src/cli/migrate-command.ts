import { applyMigration, planMigration } from '../index.ts'
import type { Migration } from '../index.ts'
import type { Command } from './command-line.ts'
import { EXIT } from './exit-codes.ts'
import { openScreen } from './screen.ts'
import type { Screen } from './screen.ts'
import { readGlobals } from './with-mill.ts'

interface Flags {
  readonly dryRun?: boolean
  readonly sql?: boolean
}

export function addMigrateCommand(program: Command): void {
  program
    .command('migrate')
    .summary("bring the store's tables up to date")
    .description(
      "Applies the migrations that the store's tables lack. Opening the store does so too, unless an application says migrate: false.",
    )
    .option('--dry-run', 'tell what is missing and change nothing; the exit code is 1 if anything is')
    .option('--sql', 'print what would be run, and change nothing')
    .action(async ({ dryRun = false, sql = false }: Flags, command: Command) => {
      const globals = readGlobals(command)
      const screen = openScreen(globals)
      const options = globals.schema === null ? {} : { schema: globals.schema }
      const looksOnly = dryRun || sql
      const migration = await (looksOnly ? planMigration : applyMigration)(globals.db, options)
      if (screen.json) screen.answer({ ...migration, applied: !looksOnly })
      else if (sql) screen.print(migration.sql.trimEnd())
      else print(screen, migration, looksOnly)
      if (dryRun && migration.migrations.length > 0) process.exitCode = EXIT.failure
    })
}

function print(screen: Screen, { store, migrations }: Migration, looksOnly: boolean): void {
  if (migrations.length === 0) screen.print(`${store}: up to date`)
  else screen.print(`${store}: ${looksOnly ? 'lacks' : 'applied'} ${migrations.join(', ')}`)
}
