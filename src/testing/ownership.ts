/** Each type has one service that works on it, and no type is without. */
import type { JobDefinition } from '../core/definition.ts'
import type { Millrace } from '../open-millrace.ts'
import { failure, listed } from './failure.ts'

/** The owner of each type, by the type's name. @throws AssertionError */
export async function assertOneOwner(
  mill: Millrace,
  types: readonly (JobDefinition | string)[],
): Promise<Readonly<Record<string, string>>> {
  const owners: Record<string, string> = {}
  const wrong = types.length === 0 ? ['No type was named.'] : []
  for (const type of types) {
    const name = typeof type === 'string' ? type : type.name
    const owner = await mill.getJobOwner(name)
    if (owner === null) wrong.push(`${name}: no service owns it, since none has started a worker for it`)
    else owners[name] = owner
    if (owner !== null && typeof type === 'object' && type.service !== owner) {
      wrong.push(`${name}: the service "${owner}" owns it, and its definition names "${type.service}"`)
    }
  }
  if (wrong.length === 0) return owners
  throw failure(listed('Expected each type to be owned by one service, the one that its definition names.', wrong), {
    operator: 'assertOneOwner',
    actual: owners,
  })
}

/** @throws AssertionError */
export async function assertEveryTypeOwned(mill: Millrace): Promise<void> {
  const types = await mill.owners()
  const lost: string[] = []
  for (const { type, service } of types) {
    if (service !== null) continue
    const { queued, scheduled } = await mill.counts({ type })
    lost.push(
      `${type}: no service owns it, since none has started a worker for it; jobs that wait: ${queued + scheduled}`,
    )
  }
  if (lost.length === 0 && types.length > 0) return
  const what = types.length === 0 ? ' The store knows of no type at all.' : ''
  throw failure(listed(`Expected every type to be owned by a service.${what}`, lost), {
    operator: 'assertEveryTypeOwned',
    actual: types.map(({ type, service }) => ({ type, service })),
  })
}
