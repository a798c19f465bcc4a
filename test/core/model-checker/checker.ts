/**
 * An explicit-state model checker for the plans. From a job that was just enqueued it tries every act of everybody, carried out by
 * `interpretPlan` itself, breadth first, until nothing new is reached: it sees every order in which things can happen, and the path to
 * the first violation is a shortest one.
 */
import { interpretPlan } from '../../../src/core/interpret.ts'
import type { PlanOutcome } from '../../../src/core/interpret.ts'
import type { Plan } from '../../../src/core/plan.ts'
import { isFinal } from '../../../src/core/states.ts'
import { commandOf } from '../plan-commands.ts'
import { actsIn } from './acts.ts'
import type { Act } from './acts.ts'
import { contextOf, worldAfter } from './carry-out.ts'
import { movesIn } from './moves.ts'
import { ANSWER, LIVENESS, STEP_PROPERTIES, WORLD_PROPERTIES } from './properties.ts'
import type { Property, Step } from './properties.ts'
import { isTrue, TRUTH } from './refusals.ts'
import { firstWorlds, keyOf } from './world.ts'
import type { Bounds, World } from './world.ts'

export interface Exploring {
  readonly bounds: Bounds
  /** Plans to use instead of those of the same name. */
  readonly mutants?: readonly Plan[]
  /** Carries out the plans. Default: `interpretPlan`. */
  readonly interpret?: typeof interpretPlan
  /** Properties, by name, that are not looked at. */
  readonly blindTo?: readonly string[]
  /** Gives up when this many worlds have been reached: a mutated plan may count without end. */
  readonly maxWorlds?: number
}

interface Exploration {
  readonly worlds: number
  /** Plans that applied, over all worlds. */
  readonly steps: number
  /** Null: none, in everything there is to reach. */
  readonly violation: Violation | null
}

interface Violation {
  readonly property: string
  /** What happened, from the beginning on. */
  readonly path: readonly string[]
}

export function explore(exploring: Exploring): Exploration {
  const search = new Search(exploring)
  search.run()
  return { worlds: search.worlds.length, steps: search.steps, violation: search.violation }
}

/** How a world was first reached. */
interface Origin {
  readonly parent: number
  readonly label: string
}

class Search {
  readonly worlds: World[] = []
  steps = 0
  violation: Violation | null = null
  readonly #bounds: Bounds
  readonly #mutants: ReadonlyMap<string, Plan>
  readonly #interpret: typeof interpretPlan
  readonly #blindTo: ReadonlySet<string>
  readonly #stepProperties: readonly Property<Step>[]
  readonly #worldProperties: readonly Property<World>[]
  readonly #maxWorlds: number
  readonly #origins: Origin[] = []
  readonly #indexes = new Map<string, number>()
  /** For each world, those from which it is one move away that needs no person. */
  readonly #sources: number[][] = []

  constructor(exploring: Exploring) {
    const {
      bounds,
      mutants = [],
      interpret = interpretPlan,
      blindTo = [],
      maxWorlds = Number.POSITIVE_INFINITY,
    } = exploring
    this.#bounds = bounds
    this.#mutants = new Map(mutants.map((plan) => [plan.name, plan]))
    this.#interpret = interpret
    this.#blindTo = new Set(blindTo)
    this.#stepProperties = STEP_PROPERTIES.filter(({ name }) => !this.#blindTo.has(name))
    this.#worldProperties = WORLD_PROPERTIES.filter(({ name }) => !this.#blindTo.has(name))
    this.#maxWorlds = maxWorlds
  }

  run(): void {
    for (const world of firstWorlds(this.#bounds)) this.#reach(world, { parent: -1, label: `a ${world.row.state} job` })
    for (let index = 0; index < this.worlds.length; index += 1) {
      const world = this.worlds[index]
      if (world !== undefined) this.#leave(index, world)
      if (this.violation !== null || this.worlds.length > this.#maxWorlds) return
    }
    this.#checkLiveness()
  }

  #leave(parent: number, world: World): void {
    for (const act of actsIn(world, this.#bounds)) {
      const next = this.#carryOut(world, act, parent)
      if (next !== null) this.#reach(next, { parent, label: act.label }, act.by !== 'person')
      if (this.violation !== null) return
    }
    for (const move of movesIn(world, this.#bounds))
      this.#reach(move.world, { parent, label: move.label }, move.byItself)
  }

  #carryOut(before: World, act: Act, parent: number): World | null {
    const plan = this.#mutants.get(act.plan.name) ?? act.plan
    const outcome = this.#outcomeOf(plan, before, act)
    if (outcome === null) return this.#violate(ANSWER, { parent, label: act.label })
    if ('refused' in outcome) {
      const label = `${act.label}: ${outcome.refused}`
      return isTrue(outcome.refused, before, act) ? null : this.#violate(TRUTH, { parent, label })
    }
    this.steps += 1
    const after = worldAfter(before, act, outcome)
    const { event, ends } = outcome
    const step = { act, command: commandOf(plan), before, after, event, ends, bounds: this.#bounds }
    const broken = this.#stepProperties.find(({ holds }) => !holds(step))
    return broken === undefined ? after : this.#violate(broken.name, { parent, label: act.label })
  }

  /** Null: the plan has no case for the job. */
  #outcomeOf(plan: Plan, before: World, act: Act): PlanOutcome | null {
    try {
      return this.#interpret(plan, before.row, contextOf(before, act))
    } catch (error) {
      if (error instanceof RangeError) return null
      throw error
    }
  }

  #reach(world: World, origin: Origin, byItself: boolean = false): void {
    const key = keyOf(world)
    const known = this.#indexes.get(key)
    if (known === undefined && world.row.generation > this.#bounds.generations) return
    const index = known ?? this.worlds.length
    if (known === undefined) {
      const broken = this.#worldProperties.find(({ holds }) => !holds(world))
      if (broken !== undefined) {
        this.#violate(broken.name, origin)
        return
      }
      this.#indexes.set(key, index)
      this.worlds.push(world)
      this.#origins.push(origin)
      this.#sources.push([])
    }
    if (byItself && origin.parent !== index) this.#sources[index]?.push(origin.parent)
  }

  /** Goes backwards from all final worlds. The first world that is not met is one from which none can be reached. */
  #checkLiveness(): void {
    const met = this.worlds.map(({ row }) => isFinal(row.state))
    const open = met.flatMap((final, index) => (final ? [index] : []))
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      const sources = (this.#sources[index] ?? []).filter((source) => !met[source])
      for (const source of sources) met[source] = true
      open.push(...sources)
    }
    const stuck = this.#origins.find((_origin, index) => !met[index])
    if (stuck !== undefined) this.#violate(LIVENESS, stuck)
  }

  #violate(property: string, last: Origin): null {
    if (this.#blindTo.has(property)) return null
    const path: string[] = []
    for (let origin: Origin | undefined = last; origin !== undefined; origin = this.#origins[origin.parent])
      path.unshift(origin.label)
    this.violation = { property, path }
    return null
  }
}
