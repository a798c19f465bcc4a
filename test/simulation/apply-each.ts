/** Many calls that travel as one: they are carried out one after another, and any of them may fail by itself. */
import type { CallAnswer, PlanCall, PlanResult } from '../../src/store/claims.ts'
import type { Probes } from './probes.ts'
import { anyRefusal } from './refusals.ts'
import type { SeededChoice } from './seeded-choice.ts'

interface Circumstances {
  /** `refused`: how likely it is that a call is. */
  readonly weather: { readonly refused: number }
  readonly choice: SeededChoice
  readonly probes: Probes
  /** Whether the store is a thread of the process. */
  readonly near: boolean
}

/** So each can be judged by the row before it and the row after it. */
export async function applyEach(
  { weather, choice, probes, near }: Circumstances,
  calls: readonly PlanCall[],
  apply: (call: PlanCall) => Promise<PlanResult>,
): Promise<readonly CallAnswer[]> {
  const answers: CallAnswer[] = []
  for (const call of calls) {
    const fails = weather.refused > 0 && choice.chance(weather.refused)
    if (fails) probes.see('one of many calls failed by itself')
    answers.push(fails ? { error: anyRefusal(choice, near, call.plan.name) } : await apply(call))
  }
  return answers
}
