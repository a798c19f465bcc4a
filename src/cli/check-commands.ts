/** Whether all is as it should be: validate, doctor. */
import type { DoctorProgress, DoctorReport } from '../index.ts'
import type { Command } from './command-line.ts'
import { EXIT } from './exit-codes.ts'
import { liveLines } from './live-lines.ts'
import { bar, formatSize } from './moments.ts'
import { printRedFlags } from './owner-commands.ts'
import { clipped, printable } from './printable.ts'
import type { Screen } from './screen.ts'
import { withMill } from './with-mill.ts'

interface DoctorFlags {
  readonly repair?: boolean
  readonly deep?: boolean
}

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
    .option('--deep', 'read the bytes of all artifacts too, and hold them against their SHA-256')
    .addHelpText('after', '\nExamples:\n  millrace doctor\n  millrace doctor --repair\n  millrace doctor --deep')
    .action(async ({ repair = false, deep = false }: DoctorFlags, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const reading = screen.json || !screen.isTerminal ? NOTHING_DRAWN : drawReading(screen)
        const report = await mill.doctor({ repair, deep, onProgress: reading.show }).finally(reading.end)
        if (screen.json) screen.answer(report)
        else printDoctor(screen, report)
        return report.isSound ? EXIT.ok : EXIT.failure
      })
    })
}

interface Drawing {
  readonly show: (progress: DoctorProgress) => void
  readonly end: () => void
}

const NOTHING_DRAWN: Drawing = { show: () => undefined, end: () => undefined }

/** A line that is there while bytes are read. */
function drawReading(screen: Screen): Drawing {
  const lines = liveLines((text) => void process.stdout.write(text))
  return {
    show: (progress) => lines.draw([clipped(readingLine(progress), screen.width - 1)]),
    end: () => lines.draw([]),
  }
}

const BAR_CELLS = 24

export function readingLine({ bytesRead, bytesTotal }: DoctorProgress): string {
  const percent = bytesTotal === 0 ? 100 : (100 * bytesRead) / bytesTotal
  return `${bar(percent, BAR_CELLS)} ${Math.floor(percent)} %  ${formatSize(bytesRead)} of ${formatSize(bytesTotal)} read`
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
