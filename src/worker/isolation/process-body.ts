import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Runtime, Timer } from '../../runtime/runtime.ts'
import type { CellBody, CellEvents } from './cell.ts'
import { readFrames, writeFrame } from './frames.ts'
import type { FromHandler, ToHandler } from './messages.ts'
import { flagsFor } from './process-flags.ts'
import { PROCESS_MARK } from './process-mark.ts'

/** Between SIGTERM and SIGKILL. */
const TERM_MS = 250

/** A process with a group of its own, so that what it starts ends with it. */
export class ProcessBody implements CellBody {
  readonly #runtime: Runtime
  readonly #child: ChildProcess
  readonly #pipe: Socket | null
  #timer: Timer | null = null
  #terminating = false
  #killing = false
  /** It has exited. */
  #gone = false
  #told = false

  constructor(
    file: URL,
    module: string,
    { events, runtime }: { readonly events: CellEvents; readonly runtime: Runtime },
  ) {
    this.#runtime = runtime
    const args = [...flagsFor(process.execArgv), fileURLToPath(file), PROCESS_MARK, module]
    this.#child = spawn(process.execPath, args, {
      detached: process.platform !== 'win32',
      windowsHide: true,
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    })
    const pipe = this.#child.stdio[3]
    this.#pipe = pipe instanceof Socket ? pipe : null
    if (this.#pipe !== null) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- both ends are of one version, and this is what the other one writes
      readFrames(this.#pipe, (message) => events.onMessage(message as FromHandler))
      // It says nothing that the end of the process does not say.
      this.#pipe.on('error', () => {})
    }
    let failure: unknown = null
    this.#child.on('error', (error) => {
      failure = error
      if (this.#child.pid === undefined) this.#exited({ events, exitCode: null, signal: null, error })
    })
    this.#child.once('exit', () => this.#endGroup())
    this.#child.once('close', (exitCode, signal) => this.#exited({ events, exitCode, signal, error: failure }))
  }

  /** What it started is ended too, whatever it did with its SIGTERM. From then on the number may be another group's. */
  #endGroup(): void {
    this.#signal('SIGKILL')
    this.#gone = true
    this.#timer?.cancel()
  }

  #exited({ events, exitCode, signal, error }: Exited): void {
    if (this.#told) return
    this.#told = true
    this.#gone = true
    this.#timer?.cancel()
    const stoppedBy = stoppedByOf({ terminating: this.#terminating, killing: this.#killing })
    events.onExit({ stoppedBy, exitCode, signal, error })
  }

  tell(message: ToHandler): void {
    if (this.#pipe?.writable === true) writeFrame(this.#pipe, message)
  }

  hold(held: boolean): void {
    if (held) {
      this.#child.ref()
      this.#pipe?.ref()
    } else {
      this.#child.unref()
      this.#pipe?.unref()
    }
  }

  end(): void {
    if (this.#terminating || this.#killing || this.#gone) return
    this.#terminating = true
    this.#signal('SIGTERM')
    this.#timer = this.#runtime.after(TERM_MS, () => this.kill())
  }

  kill(): void {
    if (this.#gone) return
    this.#killing = true
    this.#timer?.cancel()
    this.#signal('SIGKILL')
  }

  /** To the whole group. Windows has none, and ends the process alone. */
  #signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    const { pid } = this.#child
    if (pid === undefined || this.#gone) return
    try {
      if (process.platform === 'win32') this.#child.kill(signal)
      else process.kill(-pid, signal)
    } catch {
      // All of the group are gone.
    }
  }
}

interface Exited {
  readonly events: CellEvents
  readonly exitCode: number | null
  readonly signal: string | null
  readonly error: unknown
}

function stoppedByOf({
  terminating,
  killing,
}: {
  readonly terminating: boolean
  readonly killing: boolean
}): 'handler' | 'SIGTERM' | 'SIGKILL' {
  if (killing) return 'SIGKILL'
  return terminating ? 'SIGTERM' : 'handler'
}
