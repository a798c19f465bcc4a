import type { TestContext } from 'node:test'

/** A seed that the test prints: MILLRACE_SEED, or another in each run. */
export function seedOf(context: TestContext): number {
  const seed = Number(process.env['MILLRACE_SEED'] ?? `${Date.now() % 1_000_000}`)
  context.diagnostic(`MILLRACE_SEED=${seed}`)
  return seed
}
