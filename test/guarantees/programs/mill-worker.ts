/** A worker that tells its parent of every phase that it begins, so that the parent can kill it in the middle of one. */
import { openMillrace } from '../../../src/index.ts'
import type { WorkOptions } from '../../../src/index.ts'
import { handedOver, tellParent } from '../../support/parent-process.ts'
import { millHandlers } from './mill-jobs.ts'

interface Facts {
  readonly url: string
  readonly effects: string
  readonly options: WorkOptions
}

const { url, effects, options } = handedOver() as Facts
const silent = (): void => undefined
const mill = await openMillrace(url, { logger: { info: silent, warn: silent, error: silent } })
await mill.work(millHandlers({ file: effects, onEnter: () => tellParent('entered') }), options)
