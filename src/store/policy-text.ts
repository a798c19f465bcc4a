import { DEFAULTS } from '../core/limits.ts'
import type { JobPolicy } from '../core/policy.ts'
import type { TypeRetention } from '../core/retention.ts'
import { FINAL_STATES } from '../core/states.ts'

/** Policies are kept as JSON with their keys in one order, so that equal policies are equal texts. */
export function encodePolicy(policy: JobPolicy): string {
  const { phases, maxAttempts, backoff, timeoutMs, cancelGraceMs, maxStrikes, expect, lock, retention } = policy
  const { kind, baseMs, maxMs, factor, jitter } = backoff
  const { durationMs, quietMs, progressed } = lock
  return JSON.stringify({
    phases,
    maxAttempts,
    backoff: { kind, baseMs, maxMs, factor, jitter },
    timeoutMs,
    cancelGraceMs,
    maxStrikes,
    expect: { minDurationMs: expect.minDurationMs, output: expect.output },
    lock: { durationMs, quietMs, progressed },
    ...(retention === undefined ? {} : { retention: encodedRetention(retention) }),
  })
}

function encodedRetention(retention: TypeRetention): object {
  return Object.fromEntries(
    FINAL_STATES.flatMap((state) => {
      const { ageMs, count } = retention[state] ?? {}
      return retention[state] === undefined ? [] : [[state, { ageMs, count }]]
    }),
  )
}

/** What a definition has that says nothing of it, and what a text has that was written when there was no such thing. */
const LEFT_OUT: Pick<JobPolicy, 'expect' | 'lock'> = {
  expect: { minDurationMs: null, output: false },
  lock: { durationMs: DEFAULTS.lockMs, quietMs: DEFAULTS.lockQuietMs, progressed: 'fail' },
}

export function decodePolicy(text: string): JobPolicy {
  return { ...LEFT_OUT, ...(JSON.parse(text) as JobPolicy) }
}

/** An encoder that remembers the last: jobs that come together share their policy. */
export function policyEncoder(): (policy: JobPolicy) => string {
  let last: { readonly policy: JobPolicy; readonly text: string } | null = null
  return (policy) => {
    if (last?.policy !== policy) last = { policy, text: encodePolicy(policy) }
    return last.text
  }
}
