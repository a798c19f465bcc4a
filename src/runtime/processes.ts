/** The processes of this machine, as far as the kernel tells of them: on Linux. Elsewhere nothing is known, and nothing is concluded. */
import { readFileSync, readlinkSync } from 'node:fs'
import type { ProcessMark, ProcessSight } from '../core/process-death.ts'

export interface Processes {
  /** Null: not to be told for sure, so nobody may conclude from what is seen under this process's pid, nor this process from others. */
  readonly own: ProcessMark | null
  readonly see: (pid: number) => ProcessSight
}

export interface MachineOptions {
  /** Where the kernel tells of processes. */
  readonly folder?: string
  readonly pid?: number
}

export function machineProcesses({ folder = '/proc', pid = process.pid }: MachineOptions = {}): Processes {
  return { own: ownMark(folder, pid), see: (other) => see(folder, other) }
}

function ownMark(folder: string, pid: number): ProcessMark | null {
  try {
    // In a namespace of pids without a view of its own, other processes stand under these numbers.
    if (innermostPids(readFileSync(`${folder}/self/status`, 'utf8')) !== `${pid}`) return null
    const stat = parseStat(readFileSync(`${folder}/self/stat`, 'latin1'))
    const bootId = readFileSync(`${folder}/sys/kernel/random/boot_id`, 'utf8').trim()
    const namespaces = `${readlinkSync(`${folder}/self/ns/pid`)} ${timeNamespace(folder)}`
    return stat === null || bootId === '' ? null : { bootId, namespaces, startTick: stat.startTick }
  } catch {
    return null
  }
}

/** The process's pid in each namespace from that of the folder down to its own: one, where the two are the same. */
function innermostPids(status: string): string | undefined {
  return /^NSpid:\s*(.*)$/m.exec(status)?.[1]?.trim()
}

/** A namespace of time moves the start times that are told in it. Kernels before 5.6 have none. */
function timeNamespace(folder: string): string {
  try {
    return readlinkSync(`${folder}/self/ns/time`)
  } catch {
    return 'time'
  }
}

function see(folder: string, pid: number): ProcessSight {
  // Those below are groups of processes.
  if (!Number.isSafeInteger(pid) || pid <= 0) return 'unreadable'
  try {
    // Asked of the kernel itself: the folder may hide processes of other users.
    process.kill(pid, 0)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null
    if (code === 'ESRCH') return 'nobody'
    if (code !== 'EPERM') return 'unreadable'
  }
  try {
    return parseStat(readFileSync(`${folder}/${pid}/stat`, 'latin1')) ?? 'unreadable'
  } catch {
    return 'unreadable'
  }
}

/** Counted from the state, the first field after the name: the name may hold anything, parentheses too. */
const STATE = 0
const THREADS = 17
const START_TICK = 19

function parseStat(stat: string): Exclude<ProcessSight, string> | null {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 1)
    .trim()
    .split(' ')
  const [state, threads, startTick] = [fields[STATE] ?? '', Number(fields[THREADS]), Number(fields[START_TICK])]
  const isWhole = state.length === 1 && Number.isSafeInteger(threads) && Number.isSafeInteger(startTick)
  return isWhole ? { state, threads, startTick } : null
}
