import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'

import { InvalidInputError } from '../index.ts'
import type { Command } from './command-line.ts'
import { printable } from './printable.ts'
import { withMill } from './with-mill.ts'

interface Flags {
  readonly to?: string
  readonly force?: true
}

export function addDownloadCommand(program: Command): void {
  program
    .command('download')
    .summary('write an artifact to a file')
    .description(
      "Writes an artifact to a file, which must not be there yet. `millrace show` tells the ids of a job's artifacts.",
    )
    .argument('<id>', 'the id of the artifact')
    .option('--to <file>', 'where to; "-" is the standard output; default: its own name, in this folder')
    .option('--force', 'write over a file that is there')
    .addHelpText('after', '\nExamples:\n  millrace download 0199d1c8-…\n  millrace download 0199d1c8-… --to - | tar t')
    .action(async (id: string, flags: Flags, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const { record, stream } = await mill.openArtifact(id)
        if (flags.to === '-') return pipeline(stream(), process.stdout, { end: false })
        const file = resolve(flags.to ?? basename(record.name))
        await writeNew(file, stream(), flags.force === true ? 'w' : 'wx')
        const { sizeBytes, sha256 } = record
        if (screen.json) screen.answer({ id, file, sizeBytes, sha256 })
        else screen.print(printable(file))
      })
    })
}

/** What was begun and not brought to its end is not left behind. */
async function writeNew(file: string, bytes: NodeJS.ReadableStream, flags: 'w' | 'wx'): Promise<void> {
  try {
    await pipeline(bytes, createWriteStream(file, { flags }))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null
    if (code === 'EEXIST') {
      throw new InvalidInputError({
        path: '--to',
        expected: 'a file that is not there yet, or --force',
        received: file,
      })
    }
    if (code === 'ENOENT')
      throw new InvalidInputError({ path: '--to', expected: 'a file in a folder that is there', received: file })
    await rm(file, { force: true })
    throw error
  }
}
