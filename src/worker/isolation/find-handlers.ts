import type { Handler } from '../handler.ts'

/**
 * Imports the module and finds its handlers, by the types they are for: every export that is one, or a list of them.
 *
 * @throws whatever the module throws
 */
export async function findHandlers(module: string): Promise<ReadonlyMap<string, Handler>> {
  const imported: unknown = await import(module)
  const exported = typeof imported === 'object' && imported !== null ? Object.values(imported) : []
  return new Map(
    exported
      .flat()
      .filter(isHandler)
      .map((handler) => [handler.definition.name, handler]),
  )
}

/** By its shape: the module may bring a Millrace of its own. */
function isHandler(exported: unknown): exported is Handler {
  if (typeof exported !== 'object' || exported === null) return false
  if (!('definition' in exported) || !('functions' in exported)) return false
  const { definition, functions } = exported
  return functions instanceof Map && typeof definition === 'object' && definition !== null && 'name' in definition
}
