/** What one rule says about an error. */
export interface Judgement {
  /** `true`: trying again is of no use. */
  readonly fatal: boolean
  /** The stable name of the rule. */
  readonly rule: string
}

export function fatal(rule: string): Judgement {
  return { fatal: true, rule }
}

export function retryable(rule: string): Judgement {
  return { fatal: false, rule }
}

const RETRYABLE_CLIENT_STATUSES: ReadonlySet<number> = new Set([408, 425, 429])

/** @param status from 400 to 599 */
export function judgeStatus(status: number): Judgement {
  if (status >= 500) return retryable('http-5xx')
  return RETRYABLE_CLIENT_STATUSES.has(status) ? retryable(`http-${status}`) : fatal('http-4xx')
}
