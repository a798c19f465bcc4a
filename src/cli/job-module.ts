/** A module with handlers, as a command line names it. */
import { pathToFileURL } from 'node:url'
import { resolve } from 'node:path'

import { InvalidInputError } from '../index.ts'
import type { Handler, JobDefinition } from '../index.ts'

export interface ExampleJob {
  readonly definition: JobDefinition
  readonly input: unknown
  readonly key: string
}

export interface JobModule {
  readonly handlers: readonly Handler[]
  /** A first job for whoever has none; a module may export them as `exampleJobs`. */
  readonly exampleJobs: readonly ExampleJob[]
}

/**
 * Imports the module and finds its handlers: every export that is one, or a list of them.
 *
 * @throws InvalidInputError if it can't be imported, or has none
 */
export async function importJobModule(path: string): Promise<JobModule> {
  const file = resolve(path)
  const exported: readonly (readonly [string, unknown])[] = Object.entries(await importFile(file))
  const found = exported.flatMap(([, value]) => listOf(value))
  const handlers = [...new Set(found.filter(isHandler))]
  if (handlers.length === 0) {
    throw new InvalidInputError({
      path: 'module',
      expected: 'a module that exports handlers, made by handle(), each by itself or in a list',
      received: `${file} with ${exported.map(([name]) => name).join(', ') || 'nothing'}`,
    })
  }
  const examples = exported.find(([name]) => name === 'exampleJobs')?.[1]
  return { handlers, exampleJobs: listOf(examples).filter(isExampleJob) }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value]
}

async function importFile(file: string): Promise<object> {
  try {
    const module: unknown = await import(pathToFileURL(file).href)
    return typeof module === 'object' && module !== null ? module : {}
  } catch (error) {
    if (!isMissing(error, file)) throw error
    throw new InvalidInputError({
      path: 'module',
      expected: 'the path of a module',
      received: `${file}, which is not there`,
    })
  }
}

/** The module itself, not one that it imports. */
function isMissing(error: unknown, file: string): boolean {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'ERR_MODULE_NOT_FOUND') return false
  return 'url' in error ? error.url === pathToFileURL(file).href : error.message.includes(`'${file}'`)
}

/** By its shape: the module may bring a Millrace of its own. */
function isHandler(value: unknown): value is Handler {
  return (
    typeof value === 'object' &&
    value !== null &&
    'definition' in value &&
    isDefinition(value.definition) &&
    'functions' in value &&
    value.functions instanceof Map
  )
}

function isDefinition(value: unknown): value is JobDefinition {
  return typeof value === 'object' && value !== null && 'name' in value && 'service' in value && 'policy' in value
}

function isExampleJob(value: unknown): value is ExampleJob {
  return (
    typeof value === 'object' &&
    value !== null &&
    'definition' in value &&
    isDefinition(value.definition) &&
    'input' in value &&
    'key' in value &&
    typeof value.key === 'string'
  )
}
