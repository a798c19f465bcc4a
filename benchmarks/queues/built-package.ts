/**
 * Millrace as it is built, which is how people run it: from its sources, each of its threads would strip their types first. Where the conditions of
 * this process say so, as in tests, it is the sources all the same.
 */
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type * as Package from '../../src/index.ts'

// As the package itself would find itself: the benchmarks are a package of their own.
const file = createRequire(new URL('../../package.json', import.meta.url)).resolve('millrace')

export const { defineJob, handle, openMillrace } = (await import(pathToFileURL(file).href)) as typeof Package
export type { Handler, HandlerContext, JobDefinition, Millrace } from '../../src/index.ts'
