/**
 * Has a process ended? Said only where it is certain: a living worker that is taken for dead loses its work, while a dead one that is not
 * recognised costs no more than its lease.
 *
 * A pid says nothing by itself, since pids are given again and each container counts its own. So a session is marked with what the pid counts
 * in (the boot of a machine, and the namespaces there) and with when the process began. Only who counts in the same may judge.
 */

/** Where a pid and a start time mean something. */
export interface ProcessSpace {
  /** Of the machine's kernel: another one after each start of the machine. */
  readonly bootId: string
  /** The namespaces of pids and of time, by the kernel's names. */
  readonly namespaces: string
}

/** What tells a process from every other that ran, or will run, under its pid. */
export interface ProcessMark extends ProcessSpace {
  /** When it began, in ticks of the kernel. */
  readonly startTick: number
}

/** What there is to see under a pid. */
export type ProcessSight =
  | 'nobody'
  /** Somebody, of whom no more is known. */
  | 'unreadable'
  | {
      /** A letter of the kernel's: `R` runs, `S` and `D` wait, `T` and `t` are stopped, `Z` and `X` have ended. */
      readonly state: string
      /** Threads that have not ended, and the first one, which stays until all have. */
      readonly threads: number
      readonly startTick: number
    }

/** Whether the process that began at that tick has ended, given what is seen under its pid. */
export function hasEnded(startTick: number, sight: ProcessSight): boolean {
  if (sight === 'nobody') return true
  if (sight === 'unreadable') return false
  if (sight.startTick !== startTick) return true
  // The first thread alone may have ended. And one that was stopped may go on: its lease decides.
  return (sight.state === 'Z' || sight.state === 'X') && sight.threads <= 1
}
