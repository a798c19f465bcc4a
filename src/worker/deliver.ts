/** Getting what came of an attempt into the store, however long that takes, as long as the claim may still be held. */
import { readField } from '../core/classification/error-tree.ts'
import { backoffDelayMs } from '../core/retry.ts'
import { pause } from '../runtime/pause.ts'
import type { PlanCall, PlanResult } from '../store/claims.ts'
import type { AttemptHost } from './attempt.ts'

export interface Delivery {
  readonly host: Pick<AttemptHost, 'store' | 'runtime' | 'logger'>
  /** In their order; a later one may depend on an earlier one. They are made in one turn, so that they share a commit. */
  readonly calls: readonly PlanCall[]
  /** Whether it is of any use to try again. */
  readonly mayTryAgain: () => boolean
  /** Told when the first try has failed, and again once the calls got through or were given up. */
  readonly onDelay: (delayed: boolean) => void
}

const RETRY_BACKOFF = { kind: 'exponential', baseMs: 50, maxMs: 2_000, factor: 2, jitter: 0.5 } as const

/**
 * Makes the calls, and makes those that failed again. A refusal is an answer; only an error of the store is tried again.
 *
 * @returns the answer to the last call; null: given up, which has been logged as an error
 */
export async function deliver({ host, calls, mayTryAgain, onDelay }: Delivery): Promise<PlanResult | null> {
  let waiting = calls
  for (let tries = 1; ; tries += 1) {
    const outcome = settleOf(waiting, await Promise.allSettled(waiting.map((call) => host.store.claims.apply(call))))
    if ('answer' in outcome) {
      if (tries > 1) delivered(host, calls, tries, onDelay)
      return outcome.answer
    }
    waiting = outcome.again
    const fields = { jobId: calls[0]?.jobId, plans: waiting.map(({ plan }) => plan.name), error: outcome.error }
    if (tries === 1) {
      onDelay(true)
      host.logger.warn('The store did not take what came of a job; it is tried again.', fields)
    }
    const isClosed = readField(outcome.error, 'code') === 'store-closed'
    if (!isClosed) await pause(host.runtime, backoffDelayMs(RETRY_BACKOFF, tries, host.runtime.random()))
    if (isClosed || !mayTryAgain()) {
      host.logger.error('What came of a job could not be kept; the job will be run again.', fields)
      onDelay(false)
      return null
    }
  }
}

type Outcome = { readonly answer: PlanResult } | { readonly again: readonly PlanCall[]; readonly error: unknown }

/**
 * The last answer counts, unless it failed, or was refused because an earlier call failed. Then those that have not been applied are made
 * again: an applied one must not be, since a second checkpoint would pass over a phase.
 */
function settleOf(calls: readonly PlanCall[], answers: readonly PromiseSettledResult<PlanResult>[]): Outcome {
  const failure = answers.find((answer) => answer.status === 'rejected')
  const last = answers.at(-1)
  const isLastOpen = last?.status !== 'fulfilled' || (!last.value.applied && last.value.refusal === 'phases-left')
  if (last?.status === 'fulfilled' && (failure === undefined || !isLastOpen)) return { answer: last.value }
  return { again: calls.filter((_call, index) => !isApplied(answers[index])), error: failure?.reason }
}

function isApplied(answer: PromiseSettledResult<PlanResult> | undefined): boolean {
  return answer?.status === 'fulfilled' && answer.value.applied
}

function delivered(
  host: Delivery['host'],
  calls: readonly PlanCall[],
  tries: number,
  onDelay: Delivery['onDelay'],
): void {
  onDelay(false)
  host.logger.info('The store has taken what came of a job.', { jobId: calls[0]?.jobId, tries })
}
