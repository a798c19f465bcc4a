/** What writing transactions run under, as far as it can be chosen. */
export interface WriteSettings {
  /** `null`: as the server has it. */
  readonly synchronousCommit: 'on' | 'off' | null
  readonly statementTimeoutMs: number
}

/** What writing transactions run under. */
export function writeSettings({ statementTimeoutMs, synchronousCommit }: WriteSettings): readonly string[] {
  return [
    `statement_timeout = ${statementTimeoutMs}`,
    `lock_timeout = ${Math.ceil(statementTimeoutMs / 2)}`,
    `idle_in_transaction_session_timeout = ${statementTimeoutMs}`,
    // Every statement of ours has an index to go by, also before the first statistics of a young table.
    'enable_seqscan = off',
    // Nor is a list read whole, and then sorted, of which only the head is asked for.
    'enable_bitmapscan = off',
    // No job is looked up twice in a statement, so there is nothing to remember.
    'enable_memoize = off',
    'jit = off',
    'plan_cache_mode = force_generic_plan',
    ...(synchronousCommit === null ? [] : [`synchronous_commit = ${synchronousCommit}`]),
  ]
}
