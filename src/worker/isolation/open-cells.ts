import { findThreadFile } from '../../runtime/package-files.ts'
import type { ThreadFiles } from '../../runtime/package-files.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { storeClosed } from '../../store/refusals.ts'
import type { Handler } from '../handler.ts'
import { Cells } from './cells.ts'

/** Where the file is that handlers' threads and processes run. */
const FILES: ThreadFiles = {
  room: 'isolation',
  here: import.meta.url,
  exported: 'millrace/handler-thread',
  what: 'The file that threads and processes of isolated handlers run was',
  option: 'work() the option handlerThreadFile',
}

export interface OpenCells {
  readonly runtime: Runtime
  readonly most: number
  readonly threadFile: string | URL | undefined
  /** When it fires, modules that are being loaded are waited for no longer. Default: it never does. */
  readonly signal?: AbortSignal | undefined
}

/**
 * What handlers need that are not inline, each of them loaded once to see that it can be; null: all are inline.
 *
 * @throws MillraceError `handler-unloadable`, `thread-missing`, or `store-closed` if the signal fired
 */
export async function openCells(
  handlers: Iterable<Handler>,
  { runtime, most, threadFile, signal }: OpenCells,
): Promise<Cells | null> {
  const isolated = [...handlers].filter(({ isolation }) => isolation !== 'inline')
  if (isolated.length === 0) return null
  const cells = new Cells({ runtime, most, file: findThreadFile(FILES, threadFile) })
  const giveUp = (): void => void cells.giveUp()
  signal?.addEventListener('abort', giveUp, { once: true })
  try {
    await cells.check(isolated)
    return cells
  } catch (error) {
    await cells.giveUp()
    throw signal?.aborted === true ? storeClosed() : error
  } finally {
    signal?.removeEventListener('abort', giveUp)
  }
}
