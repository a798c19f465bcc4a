/** What a handler's thread or process does: loads the module, says what it found, and runs one phase at a time. */
import { classifyError } from '../../core/classification.ts'
import { markIsolated } from '../../runtime/isolation-mark.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { systemRuntime } from '../../runtime/system-runtime.ts'
import type { Handler } from '../handler.ts'
import { noFunction, readInput, resultOf } from '../phase-runner.ts'
import { findHandlers } from './find-handlers.ts'
import type { HandlerEnd } from './handler-end.ts'
import { HandlerRun } from './handler-run.ts'
import { isolatedContext } from './isolated-context.ts'
import type { Order, ToHandler } from './messages.ts'
import { packError } from './packed-error.ts'

export async function serveHandlers(module: string, end: HandlerEnd): Promise<void> {
  markIsolated()
  let handlers: ReadonlyMap<string, Handler>
  try {
    handlers = await findHandlers(module)
  } catch (error) {
    end.tell({ kind: 'unloadable', error: packError(error) })
    return
  }
  listen(end, handlers, systemRuntime())
  end.tell({ kind: 'ready', types: [...handlers.keys()] })
}

function listen(end: HandlerEnd, handlers: ReadonlyMap<string, Handler>, runtime: Runtime): void {
  let current: HandlerRun | null = null
  end.listen((message: ToHandler) => {
    if (message.kind === 'run') {
      current = new HandlerRun(message.run, message.order, end, runtime)
      void runOrder(current, handlers.get(message.order.facts.type), { end, runtime })
    } else if (message.run === current?.run) current.take(message)
  })
}

interface Surroundings {
  readonly end: HandlerEnd
  readonly runtime: Runtime
}

async function runOrder(
  current: HandlerRun,
  handler: Handler | undefined,
  { end, runtime }: Surroundings,
): Promise<void> {
  const { run } = current
  try {
    const result = await resultOfOrder(current, handler)
    current.flush()
    end.tell({ kind: 'result', run, result })
  } catch (error) {
    current.flush()
    const verdict = classifyError(error, handler?.definition.rules, { now: runtime.now() })
    end.tell({ kind: 'failed', run, error: packError(error), verdict })
  } finally {
    current.close()
  }
}

async function resultOfOrder(current: HandlerRun, handler: Handler | undefined): Promise<string> {
  const { facts, input, isLast }: Order = current.order
  const runPhase = handler?.functions.get(facts.phase)
  if (handler === undefined || runPhase === undefined) throw noFunction(facts.type, facts.phase)
  const parsed = await readInput(handler, input)
  current.throwIfStopped()
  return resultOf(handler, facts.phase, isLast, await runPhase(isolatedContext(current, parsed)))
}
