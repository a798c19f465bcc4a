/** A worker that holds each job until its parent says to go on. */
import { handle, MillraceError } from '../../../src/index.ts'
import type { WorkOptions } from '../../../src/index.ts'
import { handedOver, hearParent, openParentsMill, tellParent } from '../../support/parent-process.ts'
import { parcel } from './parcel-jobs.ts'

interface Facts {
  readonly options: WorkOptions
}

const { options } = handedOver() as Facts
const mill = await openParentsMill({ maintenance: false })

function codeOf(error: unknown): string {
  return error instanceof MillraceError ? error.code : String(error)
}

await mill.work(
  [
    handle(parcel, async ({ signal, fence }) => {
      signal.addEventListener('abort', () => tellParent('signalled', codeOf(signal.reason)), { once: true })
      tellParent('holding', { fence })
      await hearParent('go on')
      tellParent('ended')
      return process.pid
    }),
  ],
  options,
)
tellParent('ready')
