/** One plan on the world: what it may look at, and what is true after it. */
import type { PlanContext, PlanOutcome } from '../../../src/core/interpret.ts'
import { isFinalEvent } from './properties.ts'
import type { Act } from './acts.ts'
import type { Handler, World } from './world.ts'

export type Applied = Exclude<PlanOutcome, { readonly refused: unknown }>

export function contextOf(world: World, { scope, claim, values }: Act): PlanContext {
  return {
    now: world.now,
    scope,
    claim,
    values,
    sessionAlive: (holder) => world.workers.some((worker) => worker.holder === holder && worker.health === 'alive'),
    uniqueHeld: () => world.rivalHoldsKey,
  }
}

/** The world after a plan has applied. Who really holds the job follows from what was done, not from the row's claim. */
export function worldAfter(world: World, act: Act, { row, event }: Applied): World {
  const sameLife = row.generation === world.row.generation
  const after: World = {
    ...world,
    now: world.now + 1,
    row,
    results: resultsAfter(world, act),
    told: world.told + Number(event !== null),
    finals: (sameLife ? world.finals : 0) + Number(isFinalEvent(event)),
    sweeper: act.by === 'sweeper' ? null : world.sweeper,
  }
  if (act.plan.name === 'claim') return taken(after, act)
  if (row.state === 'running') return { ...after, handler: handlerAfter(world, act) }
  return { ...after, held: false, handler: null, leftover: world.handler ?? world.leftover }
}

function taken(world: World, { values }: Act): World {
  const { row, handler, leftover } = world
  const claim = { jobId: row.id, holder: values.holder ?? 0, fence: row.fence }
  const next: Handler = { claim, phase: row.phase, failures: row.failures }
  return { ...world, held: true, handler: next, leftover: handler ?? leftover }
}

function handlerAfter({ handler }: World, act: Act): Handler | null {
  if (handler === null || act.handler !== handler || act.plan.name !== 'checkpoint') return handler
  return { ...handler, phase: handler.phase + 1 }
}

/** What a store keeps: CHECKPOINT writes the result of the row's phase, and `phase: 'set'` drops those from there on. */
function resultsAfter({ results, row }: World, { plan, handler, values }: Act): readonly number[] {
  if (plan.name === 'checkpoint' && handler !== undefined) {
    const brought = values.seenPhase ?? handler.phase
    return row.phase < results.length ? results.with(row.phase, brought) : [...results, brought]
  }
  const drops = plan.name === 'retry' || plan.name === 'force-reset' || plan.name === 'adopt-phases'
  return drops ? results.slice(0, values.phase) : results
}
