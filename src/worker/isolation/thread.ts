/**
 * The file that handlers' threads and processes run. Loaded by path, never imported. It plays one of three parts:
 *
 * - in a thread of the worker's process it runs handlers, and talks to the worker through a port;
 * - in a process of its own it runs handlers too, in the main thread, and talks to a thread beside it, just as it would to the worker;
 * - that thread beside it passes on what comes and goes through the pipe to the worker. It hears a cancel while the main thread computes, and
 *   when the pipe breaks, since the worker's process is gone, it ends the whole process.
 */
import { isMainThread, MessageChannel, Worker, workerData } from 'node:worker_threads'
import { atExit } from '../../runtime/at-exit.ts'
import { HandlerEnd, newBell } from './handler-end.ts'
import type { LineEnd } from './handler-end.ts'
import { passOn } from './pass-on.ts'
import { PROCESS_MARK } from './process-mark.ts'
import { serveHandlers } from './serve-handlers.ts'

/** What the thread is started with. */
export interface ThreadPart extends LineEnd {
  /** URL of the module with the handlers. */
  readonly module: string
}

/** Of the thread beside a process's main thread. */
interface PassingPart extends LineEnd {
  readonly passing: true
}

type Part = { readonly millrace: ThreadPart | PassingPart }

function startProcess(file: string, module: string): void {
  const { port1: near, port2: far } = new MessageChannel()
  const bell = newBell()
  const part: Part = { millrace: { passing: true, port: far, bell } }
  // It keeps the process alive, and ends it.
  const passing = new Worker(file, { workerData: part, execArgv: [], transferList: [far] })
  passing.once('error', (error) => {
    throw error
  })
  const end = new HandlerEnd({ port: near, bell })
  atExit(() => end.flush())
  void serveHandlers(module, end)
}

function startThread(part: ThreadPart | PassingPart): void {
  if ('passing' in part) passOn(part)
  else void serveHandlers(part.module, new HandlerEnd(part))
}

function isPart(given: unknown): given is Part {
  return typeof given === 'object' && given !== null && 'millrace' in given
}

const [, file = '', mark, module = ''] = process.argv

// Somebody who merely imports it has neither.
if (isMainThread && mark === PROCESS_MARK) startProcess(file, module)
else if (isPart(workerData)) startThread(workerData.millrace)
