import type { Artifact, Millrace } from '../index.ts'
import type { Command } from './command-line.ts'
import { jobLines } from './job-page.ts'
import type { ArtifactOnPage } from './job-page.ts'
import { findLastAct } from './last-act.ts'
import { withMill } from './with-mill.ts'

export function addShowCommand(program: Command): void {
  program
    .command('show')
    .summary('show one job')
    .description('Shows a job: its phases, attempts, errors, progress and artifacts.')
    .argument('<id>', 'its id')
    .addHelpText('after', '\nExamples:\n  millrace show 0199d1c8-…\n  millrace show 0199d1c8-… --json | jq .job.output')
    .action(async (id: string, _flags: object, command: Command) => {
      await withMill(command, { creates: false }, async ({ mill, screen }) => {
        const job = await mill.get(id)
        const artifacts = await Promise.all((await mill.artifacts(id)).map((artifact) => located(mill, artifact)))
        const lastAct = await findLastAct(mill, job)
        if (screen.json) screen.answer({ job, artifacts, lastAct })
        else for (const line of jobLines({ job, artifacts, lastAct, now: screen.now() }, screen)) screen.print(line)
      })
    })
}

async function located(mill: Millrace, artifact: Artifact): Promise<ArtifactOnPage> {
  const opened = await mill.openArtifact(artifact.id).catch(() => null)
  return { ...artifact, isThere: opened !== null, path: opened?.path ?? null }
}
