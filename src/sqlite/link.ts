/** The way to a host: the same calls, whether it runs on a thread or here. */
import type { MillraceError } from '../core/errors.ts'
import type { Answer, Arguments, OperationName, ReadName } from './operations.ts'

export interface Link {
  /** Resolves after the commit of what it asked for. Calls made in one turn travel and, as far as they write, commit together. */
  call<Name extends OperationName>(name: Name, args: Arguments<Name>): Promise<Answer<Name>>
  /** The same, with the answer unpacked on the way: another promise for that would be one for each job. */
  call<Name extends OperationName, Unpacked>(
    name: Name,
    args: Arguments<Name>,
    unpack: (answer: Answer<Name>) => Unpacked,
  ): Promise<Unpacked>
  /** A read in the middle of a turn: blocks the calling thread, for a tenth of a second at most. Undefined: there was no answer. */
  ask<Name extends ReadName>(name: Name, args: Arguments<Name>): Answer<Name> | undefined
  /** Until `resume`, nothing is touched: what has been called is committed first, what is called waits. */
  pause(): Promise<void>
  resume(): void
  readonly sqliteVersion: string
  /** @param cut when it fires, what is under way is given up. */
  close(cut: AbortSignal): Promise<void>
}

export interface LinkEvents {
  /** Something has been committed, by this link or another process. */
  readonly onCommit: () => void
  readonly onSessionLost: (holder: number) => void
  /** The host has died and can't be used any more. */
  readonly onBroken: (error: MillraceError) => void
}

export interface Links {
  readonly writer: Link
  /** Where reads go; the writer itself where there is one connection. */
  readonly reader: Link
}
