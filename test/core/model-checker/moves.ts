/** What happens around the job without a plan: time passes, processes die and come back, sweeper and people look. */
import { isFinal } from '../../../src/core/states.ts'
import type { Bounds, WorkerProcess, World } from './world.ts'

export interface Move {
  readonly label: string
  /** Whether it needs no person and no luck: such moves may be counted on. */
  readonly byItself: boolean
  readonly world: World
}

export function movesIn(world: World, bounds: Bounds): readonly Move[] {
  return [
    ...timePasses(world),
    ...world.workers.flatMap((worker, index) => fates(world, worker, index)),
    ...sweeperLooks(world),
    ...personLooks(world, bounds),
    ...rivalMoves(world),
  ]
}

function timePasses(world: World): readonly Move[] {
  const { row, now } = world
  const next = row.state === 'running' ? row.deadlineAt : row.runAt
  if (next === null || next <= now || isFinal(row.state)) return []
  const label = row.state === 'running' ? 'the deadline passes' : 'its time comes'
  return [{ label, byItself: true, world: { ...world, now: next } }]
}

const NAMES = ['A', 'B']
/** Added to the key of a session to make that of the next session of the same worker. */
const NEXT_SESSION = 2

function fates(world: World, worker: WorkerProcess, index: number): readonly Move[] {
  const name = NAMES[index]
  const becomes = (what: string, next: WorkerProcess, byItself: boolean): Move => ({
    label: `${name}${what}`,
    byItself,
    world: { ...world, workers: world.workers.with(index, next) },
  })
  const crash: Move = { label: `${name} crashes`, byItself: true, world: withoutHandlers(world, worker, index) }
  if (worker.health === 'alive') return [crash, becomes("'s lease runs out", { ...worker, health: 'expired' }, true)]
  if (worker.health === 'expired') return [crash, becomes(' beats again, late', { ...worker, health: 'alive' }, false)]
  if (world.row.holder === worker.holder) return []
  return [becomes(' comes back', { health: 'alive', holder: worker.holder + NEXT_SESSION }, true)]
}

function withoutHandlers(world: World, { holder }: WorkerProcess, index: number): World {
  const { handler, leftover, workers } = world
  return {
    ...world,
    handler: handler?.claim.holder === holder ? null : handler,
    leftover: leftover?.claim.holder === holder ? null : leftover,
    workers: workers.with(index, { holder, health: 'crashed' }),
  }
}

/** A sweep remembers the claim of a job whose worker is dead or late. */
function sweeperLooks(world: World): readonly Move[] {
  const { row, now } = world
  if (row.holder === null) return []
  const alive = world.workers.some(({ holder, health }) => holder === row.holder && health === 'alive')
  const late = row.deadlineAt !== null && row.deadlineAt <= now
  if (alive && !late && row.cancelRequestedAt === null) return []
  const sweeper = { jobId: row.id, holder: row.holder, fence: row.fence }
  return [{ label: 'the sweeper looks', byItself: true, world: { ...world, sweeper } }]
}

/** Where a person who looks in the middle of the job will want it to go on. At its start and at its end that is the start, which needs no look. */
function personLooks(world: World, bounds: Bounds): readonly Move[] {
  const { generation, fence, phase, phaseCount } = world.row
  if (generation >= bounds.generations || phase === 0 || phase === phaseCount) return []
  const person = { generation, fence, phase }
  return [{ label: 'a person looks', byItself: false, world: { ...world, person } }]
}

/** Another job can take the unique key once this one is over, as an enqueue would find it free. */
function rivalMoves(world: World): readonly Move[] {
  const { row, rivalHoldsKey } = world
  if (rivalHoldsKey) {
    return [{ label: 'the rival ends', byItself: false, world: { ...world, rivalHoldsKey: false } }]
  }
  if (!isFinal(row.state)) return []
  return [{ label: 'a rival takes the unique key', byItself: false, world: { ...world, rivalHoldsKey: true } }]
}
