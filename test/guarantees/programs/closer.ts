/** Works on stubborn jobs, closes its Millrace when it is told to, tells what came of it, and has then nothing more to do. */
import { MillraceError } from '../../../src/index.ts'
import type { CloseOptions } from '../../../src/index.ts'
import { hearParent, openParentsMill, tellParent } from '../../support/parent-process.ts'
import { muleHandler, processMuleHandler, threadMuleHandler } from './stubborn-jobs.ts'

const mill = await openParentsMill()
await mill.work([muleHandler, threadMuleHandler, processMuleHandler])
tellParent('ready')
const options = await hearParent<CloseOptions>('close')
try {
  await mill.close(options)
  tellParent('closed', null)
} catch (error) {
  if (!(error instanceof MillraceError)) throw error
  tellParent('closed', { code: error.code, details: error.details })
}
