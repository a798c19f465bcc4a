import { open, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import type { Readable } from 'node:stream'
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
        await writeNew(file, stream, flags.force === true ? 'w' : 'wx')
        const { sizeBytes, sha256 } = record
        if (screen.json) screen.answer({ id, file, sizeBytes, sha256 })
        else screen.print(printable(file))
      })
    })
}

/** What was begun and not brought to its end is not left behind; what could not be begun is left as it is. */
async function writeNew(path: string, stream: () => Readable, flags: 'w' | 'wx'): Promise<void> {
  const file = await openNew(path, flags)
  try {
    await pipeline(stream(), file.createWriteStream())
  } catch (error) {
    await rm(path, { force: true })
    throw error
  }
}

const WANTED: Readonly<Record<string, string>> = {
  EEXIST: 'a file that is not there yet, or --force',
  ENOENT: 'a file in a folder that is there',
  EISDIR: 'the path of a file, not of a folder',
}

async function openNew(path: string, flags: 'w' | 'wx'): Promise<FileHandle> {
  try {
    return await open(path, flags)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    const expected = WANTED[code]
    throw expected === undefined ? error : new InvalidInputError({ path: '--to', expected, received: path })
  }
}
