/**
 * The package as it is built, since that is what people run: a thread of its own that comes to sources strips their types first. Where it runs
 * from its sources on purpose (the tests do), so does this.
 */
import type * as Package from '../../src/index.ts'

const FROM_SOURCE = process.execArgv.includes('--conditions=millrace-source')
const file = new URL(FROM_SOURCE ? '../../src/index.ts' : '../../dist/index.js', import.meta.url)

export const { defineJob, handle, openMillrace } = (await import(file.href)) as typeof Package
export type { Handler, HandlerContext, JobDefinition, Millrace } from '../../src/index.ts'
