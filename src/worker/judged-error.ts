import type { Verdict } from '../core/classification.ts'

/** Carries an error, its cause, that has been judged where it was thrown, by rules that need the error itself. */
export class JudgedError extends Error {
  readonly verdict: Verdict

  constructor(cause: unknown, verdict: Verdict) {
    super('judged', { cause })
    this.verdict = verdict
  }
}
