/** Starts the process of a run, and sees to it that nothing of a run outlives it. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findContender } from './contenders/find-contender.ts'
import { stopPostgresServer } from './contenders/postgres-server.ts'
import type { Host } from './contenders/contender.ts'
import type { Entry, Figures, Measure } from './measures/measure.ts'
import type { RunOrder } from './one-run.ts'

/** Where there are process groups, a run is one. */
const OWN_GROUP = process.platform !== 'win32'
const ONE_RUN = join(import.meta.dirname, 'one-run.ts')

/** What is under way: the processes to end, the servers to stop, the folders to remove. */
const underWay = { children: new Set<ChildProcess>(), hosts: new Set<Host>(), folders: new Set<string>() }

export interface RunPlan extends Entry {
  readonly measure: Measure
  readonly count: number
}

/** Runs it in a process of its own, on a store of its own in a folder of its own. */
export async function startRun({ measure, contender, settings, variant, count }: RunPlan): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
  underWay.folders.add(folder)
  const host = await (await findContender(contender, settings)).host(folder)
  underWay.hosts.add(host)
  try {
    const order = { measure: measure.name, contender, settings, variant, count, place: host.place, part: null }
    return await runProcess(order)
  } finally {
    await host.stop()
    underWay.hosts.delete(host)
    rmSync(folder, { recursive: true, force: true })
    underWay.folders.delete(folder)
  }
}

/** Ends everything that is under way. */
export async function stopRuns(): Promise<void> {
  for (const child of underWay.children) killRun(child)
  await Promise.allSettled([...underWay.hosts].map((host) => host.stop()))
  await stopPostgresServer()
  for (const folder of underWay.folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

/** With the processes that play its parts. One whose loop lets nothing in would not notice that the others have gone. */
function killRun(child: ChildProcess): void {
  if (OWN_GROUP && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  else child.kill('SIGKILL')
}

async function runProcess(order: RunOrder): Promise<Figures> {
  const { promise, resolve, reject } = Promise.withResolvers<Figures>()
  const child = fork(ONE_RUN, [JSON.stringify(order)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    detached: OWN_GROUP,
  })
  underWay.children.add(child)
  let figures: Figures | null = null
  child.on('message', ({ name, facts }: { name: string; facts: unknown }) => {
    if (name === 'figures') figures = facts as Figures
  })
  child.once('error', reject)
  child.once('exit', (status, signal) => {
    underWay.children.delete(child)
    if (status === 0 && figures !== null) resolve(figures)
    else reject(new Error(`the run of ${order.measure} for ${order.contender} ended with ${signal ?? status}`))
  })
  return promise
}
