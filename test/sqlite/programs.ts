/** Programs in processes of their own, to be asked over a channel, killed, or waited for. They stand in `programs/`. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

import type { ProgramArguments } from './programs/program.ts'

export interface Program {
  /** Sends a word and answers what comes back. */
  ask(word: string): Promise<unknown>
  /** SIGKILL. */
  kill(): void
  /** Its exit code. */
  ended(): Promise<number | null>
}

/** Starts one and resolves when it says that it is ready; it is killed when the test ends. */
export async function spawnProgram(
  context: TestContext,
  name: string,
  args: Partial<ProgramArguments>,
): Promise<Program> {
  const child = start(name, args)
  context.after(() => child.kill('SIGKILL'))
  await next(child)
  return {
    ask: (word) => {
      child.send(word)
      return next(child)
    },
    kill: () => {
      child.kill('SIGKILL')
    },
    ended: () => exitCode(child),
  }
}

function start(name: string, args: Partial<ProgramArguments>): ChildProcess {
  return fork(join(import.meta.dirname, 'programs', `${name}.ts`), [JSON.stringify(args)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
}

async function next(child: ChildProcess): Promise<unknown> {
  const gone = new AbortController()
  const died = once(child, 'exit', { signal: gone.signal }).then(([code]) => {
    throw new Error(`the program ended with code ${String(code)}`)
  })
  died.catch(() => undefined)
  const [answer] = (await Promise.race([once(child, 'message', { signal: gone.signal }), died])) as readonly unknown[]
  gone.abort()
  return answer
}

async function exitCode(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return child.exitCode
}
