/** A type that two services would like to work on. A job tells which of them did. */
import { defineJob, handle } from '../../../src/index.ts'
import type { Handler, JobDefinition } from '../../../src/index.ts'

/** The same type, as either service defines it. */
export function drawMap(service: string): JobDefinition {
  return defineJob('map.draw', { service })
}

/** A type, so that it counts as JSON. */
export type DrawnBy = { readonly service: string; readonly version: string | null; readonly pid: number }

export function drawMapHandler(definition: JobDefinition, version: string | null = null): Handler {
  const { service } = definition
  return handle(definition).phase('run', () => ({ service, version, pid: process.pid }))
}
