/** Child processes of tests: started with the same Node and the same sources, heard and told over IPC. `openTestMill` starts and kills them. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Announcements, within } from './wait-for-event.ts'
import type { HearOptions } from './wait-for-event.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Compiled sources are kept from one child to the next, which then starts in a third of the time. Node knows by itself what is out of date. */
export const COMPILE_CACHE: string = join(tmpdir(), 'millrace-test-compile-cache')
const EXEC_ARGV = ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning']

/** What child and parent tell each other. */
export interface Message {
  readonly name: string
  readonly facts: unknown
}

/** The source of the command `millrace`. */
export const COMMAND: URL = new URL('../../src/cli/bin.ts', import.meta.url)

/** The source of a program of `test/guarantees/programs`. */
export function programNamed(name: string): URL {
  return new URL(`../guarantees/programs/${name}.ts`, import.meta.url)
}

export class ChildProgram {
  readonly #process: ChildProcess
  readonly #name: string
  readonly #announcements: Announcements
  readonly #exit = Promise.withResolvers<Exit>()
  readonly #onOutput = new Set<() => void>()
  #output = ''

  /** @param command what starts Node, in whose place Node is then, as `ip netns exec` does. Default: nothing */
  constructor(program: URL, args: readonly string[], command: readonly string[] = []) {
    this.#name = program.pathname.split('/').at(-1) ?? 'a program'
    const [execPath = process.execPath, ...execArgv] = [...command, process.execPath, ...EXEC_ARGV]
    this.#process = fork(program, args, {
      execPath,
      execArgv,
      env: { ...process.env, NODE_COMPILE_CACHE: COMPILE_CACHE },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#announcements = new Announcements(`${this.#name} (process ${this.#process.pid})`)
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#printed(text))
    }
    this.#process.on('message', ({ name, facts: told }: Message) => this.#announcements.tell(name, told))
    // `close` and not `exit`: by then everything that it has written has been read.
    this.#process.once('close', (code, signal) => this.#ended({ code, signal }))
  }

  get pid(): number {
    return this.#process.pid ?? -1
  }

  /** Everything that it has printed. */
  get output(): string {
    return this.#output
  }

  /** Resolves when it has ended, however that came. */
  get exit(): Promise<Exit> {
    return this.#exit.promise
  }

  /** Waits for what it tells. Fails at once if it ends without having told it, with what it has printed. */
  hear<Facts = unknown>(name: string, options?: HearOptions): Promise<Facts> {
    return this.#announcements.hear(name, options)
  }

  /** Resolves once it has printed that. */
  async printed(text: string): Promise<void> {
    const seen = Promise.withResolvers<void>()
    const look = (): void => {
      if (this.#output.includes(text)) seen.resolve()
    }
    this.#onOutput.add(look)
    look()
    await within(`"${text}" on the output of ${this.#name}`, seen.promise)
    this.#onOutput.delete(look)
  }

  count(name: string): number {
    return this.#announcements.count(name)
  }

  /** Nothing happens if it has ended meanwhile. */
  tell(name: string, facts: unknown = null): void {
    if (this.#process.connected) this.#process.send({ name, facts } satisfies Message, () => undefined)
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** SIGKILL: no code of its own runs any more. */
  kill(): Promise<Exit> {
    this.signal('SIGKILL')
    return this.ended()
  }

  ended(): Promise<Exit> {
    return within(`the end of ${this.#name} (process ${this.pid})`, this.exit)
  }

  #printed(text: string): void {
    this.#output += text
    for (const look of this.#onOutput) look()
  }

  #ended(exit: Exit): void {
    const how = exit.signal ?? `exit code ${exit.code}`
    this.#announcements.end(new Error(`${this.#name} has ended (${how}) and printed:\n${this.#output}`))
    this.#exit.resolve(exit)
  }
}
