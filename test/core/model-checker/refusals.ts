/** A refusal tells the truth: for each, what must be so when an act is refused with it. So no guard is stricter than it says. */
import type { Refusal } from '../../../src/core/plan.ts'
import { isFinal } from '../../../src/core/states.ts'
import type { Act } from './acts.ts'
import type { World } from './world.ts'

export const TRUTH = 'a refusal tells the truth'

type Truth = (world: World, act: Act) => boolean

const TRUTHS: Readonly<Record<Refusal, Truth>> = {
  'not-found': (_world, { scope }) => scope.role !== 'operator' && scope.tenant !== 'acme',
  forbidden: (_world, { scope, by }) => by === 'stranger' && scope.role === 'member' && scope.tenant === 'acme',
  'lease-lost': leaseLost,
  already: ({ row }, { plan }) => {
    if (plan.name === 'run-now') return row.state === 'queued'
    return row.state === 'cancelled' || (row.state === 'running' && row.cancelRequestedAt !== null)
  },
  final: ({ row }, { plan }) => {
    if (plan.name === 'force-reset') return row.state === 'completed'
    return isFinal(row.state) && !(plan.name === 'cancel' && row.state === 'cancelled')
  },
  'not-final': ({ row }) => !isFinal(row.state),
  'not-waiting': ({ row }, { plan }) => {
    const waits = row.state === 'scheduled' || row.state === 'retrying'
    return !waits && !(plan.name === 'run-now' && row.state === 'queued')
  },
  'not-queued': ({ row }) => row.state !== 'queued',
  'not-due': ({ row, now }) => row.runAt > now,
  'moved-on': ({ row }, { values }) => row.generation !== values.seenGeneration || row.fence !== values.seenFence,
  'unique-held': ({ rivalHoldsKey }) => rivalHoldsKey,
  'session-alive': ({ row, workers }) =>
    workers.some(({ holder, health }) => holder === row.holder && health === 'alive'),
  'deadline-ahead': ({ row, now }) => row.deadlineAt === null || row.deadlineAt > now,
  'no-cancel-pending': ({ row }) => row.cancelRequestedAt === null,
  'phases-left': ({ row }, { plan }) =>
    row.phase < row.phaseCount || (plan.name === 'complete-only-phase' && row.phaseCount > 1),
  'phase-moved': ({ row }, { values }) => row.phase >= row.phaseCount || values.seenPhase !== row.phase,
}

function leaseLost({ held, row, handler }: World, act: Act): boolean {
  if (act.handler !== undefined) return act.handler !== handler
  return !held || act.claim?.holder !== row.holder || act.claim?.fence !== row.fence
}

export function isTrue(refusal: Refusal, world: World, act: Act): boolean {
  return TRUTHS[refusal](world, act)
}
