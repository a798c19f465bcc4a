/** How long jobs that are over are kept, as people say it. */
import { parseDuration } from '../core/duration.ts'
import type { Duration } from '../core/duration.ts'
import type { Retention, RetentionRule, TypeRetention } from '../core/retention.ts'
import { retentionRule } from '../core/retention.ts'
import { FINAL_STATES } from '../core/states.ts'
import type { FinalState } from '../core/states.ts'
import { checkOptions, checkWhole } from './option-values.ts'

/** How long, and how many. What is left out is as it would be. */
export interface RetentionBounds {
  /** How long a job is kept after its end. `'none'`: without a limit. */
  readonly age?: Duration | 'none'
  /** How many jobs of a type are kept, those that ended last: 0 to 1,000,000,000. `'none'`: without a limit, which is the default. */
  readonly count?: number | 'none'
}

/** For each final state an age, both bounds, or `'none'`: such jobs are never deleted. */
export type RetentionOptions = Readonly<Partial<Record<FinalState, Duration | 'none' | RetentionBounds>>>

const KNOWN_STATES: Readonly<Record<FinalState, true>> = { completed: true, failed: true, cancelled: true }
const KNOWN_BOUNDS: Readonly<Record<keyof RetentionBounds, true>> = { age: true, count: true }
const MOST_JOBS = 1_000_000_000
const FOREVER: RetentionRule = { ageMs: null, count: null }

/** @throws InvalidInputError that names the option */
export function checkRetention(retention: RetentionOptions | 'none'): TypeRetention {
  if (retention === 'none') return { completed: FOREVER, failed: FOREVER, cancelled: FOREVER }
  const options = checkOptions(retention, KNOWN_STATES, 'retention')
  const rules: Partial<Record<FinalState, Partial<RetentionRule>>> = {}
  for (const state of FINAL_STATES) {
    const bounds = options[state]
    if (bounds !== undefined) rules[state] = Object.freeze(ruleOf(bounds, `retention.${state}`))
  }
  return Object.freeze(rules)
}

function ruleOf(bounds: Duration | 'none' | RetentionBounds, path: string): Partial<RetentionRule> {
  if (bounds === 'none') return FOREVER
  if (typeof bounds !== 'object') return { ageMs: parseDuration(bounds, path) }
  const { age, count } = checkOptions(bounds, KNOWN_BOUNDS, path)
  const most = { path: `${path}.count`, least: 0, most: MOST_JOBS }
  return {
    ...(age === undefined ? {} : { ageMs: age === 'none' ? null : parseDuration(age, `${path}.age`) }),
    ...(count === undefined ? {} : { count: count === 'none' ? null : checkWhole(count, most) }),
  }
}

/** The rules of a store: what was said, over what holds otherwise. */
export function retentionOver(said: TypeRetention, otherwise: Retention): Retention {
  return {
    completed: retentionRule(said, otherwise, 'completed'),
    failed: retentionRule(said, otherwise, 'failed'),
    cancelled: retentionRule(said, otherwise, 'cancelled'),
  }
}
