/** Starts a worker of the service that the parent names, and tells whether it may; then works until it is killed or told to stop. */
import { MillraceError } from '../../../src/index.ts'
import { handedOver, hearParent, openParentsMill, tellParent } from '../../support/parent-process.ts'
import { drawMap, drawMapHandler } from './owned-jobs.ts'

const { service, version } = handedOver() as { readonly service: string; readonly version?: string }
const mill = await openParentsMill({ service, ...(version === undefined ? {} : { version }) })
try {
  await mill.work([drawMapHandler(drawMap(service), version ?? null)])
  tellParent('ready')
} catch (error) {
  if (!(error instanceof MillraceError)) throw error
  const { code, message } = error
  const sessions = (await mill.workers()).length
  tellParent('refused', { code, message, sessions })
}
await hearParent('stop')
await mill.close()
tellParent('stopped')
