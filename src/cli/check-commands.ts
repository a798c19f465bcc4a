/** Whether all is as it should be: validate, doctor. */
import type { DoctorReport } from '../index.ts'
import type { Command } from './command-line.ts'
import { EXIT } from './exit-codes.ts'
import { printRedFlags } from './owner-commands.ts'
import { printable } from './printable.ts'
import type { Screen } from './screen.ts'
import { withMill } from './with-mill.ts'

export function addCheckCommands(program: Command): void {
  program
    .command('validate')
    .summary('say whether a job is in a possible state')
    .description('Says whether a job is in a possible state, and everything that is wrong with it (exit code 1).')
    .argument('<id>', 'its id')
    .action(async (id: string, _flags: object, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const { isValid, issues } = await mill.validate(id)
        if (screen.json) screen.answer({ isValid, issues })
        else if (isValid) screen.print('The job is sound.')
        for (const { code, message, repairable } of screen.json ? [] : issues) {
          screen.print(
            `${screen.paint('yellow', code)}  ${printable(message)}${repairable ? '' : ' A person has to choose.'}`,
          )
        }
        return isValid ? EXIT.ok : EXIT.failure
      })
    })
  program
    .command('doctor')
    .summary('look the whole store through, and repair it')
    .description(
      'Looks the whole store through: every job, what belongs to it, the log, the schema, the bytes of artifacts. Tells what is wrong and what ' +
        'can be done, and changes nothing unless asked to. The exit code is 1 if anything is wrong, or still is.',
    )
    .option('--repair', 'put right what can be without losing anything')
    .addHelpText('after', '\nExamples:\n  millrace doctor\n  millrace doctor --repair')
    .action(async ({ repair = false }: { readonly repair?: boolean }, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const report = await mill.doctor({ repair })
        if (screen.json) screen.answer(report)
        else printDoctor(screen, report)
        return report.isSound ? EXIT.ok : EXIT.failure
      })
    })
}

function printDoctor(screen: Screen, { jobs, isSound, findings, more, redFlags }: DoctorReport): void {
  for (const { code, message, repair, repaired } of findings) {
    screen.print(`${screen.paint(repaired ? 'green' : 'yellow', code)}  ${printable(message)}`)
    const plan = repaired ? `Repaired. ${repair}` : `Safe to repair. ${repair}`
    screen.print(`  ${screen.paint('dim', repair === null ? 'A person has to choose.' : plan)}`)
  }
  if (more > 0) screen.print(`… and ${more} more.`)
  screen.print(`${jobs} ${jobs === 1 ? 'job' : 'jobs'} looked at. ${verdict(isSound, findings.length)}`)
  if (redFlags.length > 0) screen.print(`\n${redFlags.length === 1 ? 'A red flag' : 'Red flags'}:\n`)
  printRedFlags(screen, redFlags)
}

function verdict(isSound: boolean, findings: number): string {
  if (findings === 0) return 'All is sound.'
  return isSound ? 'All is sound again.' : 'Not all is sound: see "doctor" in operations.'
}
