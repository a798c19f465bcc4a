/** A worker that tells its parent of every phase that it begins, so that the parent can kill it in the middle of one. */
import type { WorkOptions } from '../../../src/index.ts'
import { handedOver, openParentsMill, tellParent } from '../../support/parent-process.ts'
import { millHandlers } from './mill-jobs.ts'

interface Facts {
  /** A folder. */
  readonly effects: string
  readonly options: WorkOptions
}

const { effects, options } = handedOver() as Facts
const silent = (): void => undefined
const mill = await openParentsMill({ logger: { info: silent, warn: silent, error: silent } })
await mill.work(millHandlers({ folder: effects, onEnter: () => tellParent('entered') }), options)
tellParent('ready')
