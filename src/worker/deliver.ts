/** Getting what came of an attempt into the store, however long that takes, as long as the claim may still be held. */
import { readField } from '../core/classification/error-tree.ts'
import { backoffDelayMs } from '../core/retry.ts'
import type { LogFields } from '../runtime/logger.ts'
import type { Pauses } from '../runtime/pause.ts'
import type { CallAnswer, FailedCall, PlanCall, PlanResult } from '../store/claims.ts'
import type { AttemptHost } from './attempt.ts'

export interface Delivery {
  readonly host: Pick<AttemptHost, 'store' | 'runtime' | 'logger'>
  /** In their order; a later one may depend on an earlier one. They are made in one turn, so that they share a commit. */
  readonly calls: readonly PlanCall[]
  /** Whether it is of any use to try again. */
  readonly mayTryAgain: () => boolean
  /** Told when the first try has failed, and again once the calls got through or were given up. */
  readonly onDelay: (delayed: boolean) => void
  /** The waits before the next try; once they are ended, nothing is tried again. */
  readonly pauses: Pauses
}

/** Before a write that the store did not take is tried again. */
export const WRITE_BACKOFF = { kind: 'exponential', baseMs: 50, maxMs: 2_000, factor: 2, jitter: 0.5 } as const

async function makeAll({ host }: Delivery, calls: readonly PlanCall[]): Promise<Outcome> {
  const { claims } = host.store
  return settleOf(
    calls,
    await Promise.all(calls.map((call) => claims.apply(call).catch((error: unknown) => ({ error })))),
  )
}

/**
 * Makes calls again that the store has not taken. A refusal is an answer; only an error of the store is tried again.
 *
 * @returns the answer to the last call; null: given up, which has been logged as an error
 */
export async function insist(delivery: Delivery, first: Failed): Promise<PlanResult | null> {
  const { host, calls, mayTryAgain, onDelay, pauses } = delivery
  let outcome: Outcome = first
  onDelay(true)
  host.logger.warn('The store did not take what came of a job; it is tried again.', fieldsOf(calls, first))
  for (let tries = 1; 'again' in outcome; tries += 1) {
    const isClosed = readField(outcome.error, 'code') === 'store-closed'
    if (!isClosed && mayTryAgain()) {
      await pauses.wait(host.runtime, backoffDelayMs(WRITE_BACKOFF, tries, host.runtime.random()))
    }
    if (isClosed || !mayTryAgain()) {
      host.logger.error('What came of a job could not be kept; the job will be run again.', fieldsOf(calls, outcome))
      onDelay(false)
      return null
    }
    outcome = await makeAll(delivery, outcome.again)
    if ('answer' in outcome) {
      onDelay(false)
      host.logger.info('The store has taken what came of a job.', { jobId: calls[0]?.jobId, tries: tries + 1 })
    }
  }
  return outcome.answer
}

function fieldsOf(calls: readonly PlanCall[], { again, error }: Failed): LogFields {
  return { jobId: calls[0]?.jobId, plans: again.map(({ plan }) => plan.name), error }
}

/** Calls that must be made again, and the error that the first of them met. */
export type Failed = { readonly again: readonly PlanCall[]; readonly error: unknown }

type Outcome = { readonly answer: PlanResult } | Failed

/**
 * The last answer counts, unless it failed, or was refused because an earlier call failed. Then those that have not been applied are made
 * again: an applied one need not be.
 */
export function settleOf(calls: readonly PlanCall[], answers: readonly CallAnswer[]): Outcome {
  const failure = answers.find(hasFailed)
  const last = answers.at(-1)
  const isLastOpen = last === undefined || hasFailed(last) || (!last.applied && last.refusal === 'phases-left')
  if (last !== undefined && !hasFailed(last) && (failure === undefined || !isLastOpen)) return { answer: last }
  return { again: calls.filter((_call, index) => !isApplied(answers[index])), error: failure?.error }
}

export function hasFailed(answer: CallAnswer): answer is FailedCall {
  return 'error' in answer
}

function isApplied(answer: CallAnswer | undefined): boolean {
  return answer !== undefined && !hasFailed(answer) && answer.applied
}
