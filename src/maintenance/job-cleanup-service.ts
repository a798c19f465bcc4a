import { InvalidInputError } from '../core/errors.ts'
import type { CleanupReport } from './cleaning.ts'
import type { Cleanup } from './cleanup.ts'

/**
 * `mill.cleanup` as a service of its own, for those who construct their services. All that are made of one Millrace are the same cleanup: they
 * share its scheduler, and join its runs. Every method throws MillraceError `store-closed` once that Millrace is closed.
 *
 * @example
 *     const report = await new JobCleanupService(mill).forceCleanup()
 */
export class JobCleanupService {
  readonly #mill: { readonly cleanup: Cleanup }

  /** @param mill what `openMillrace` gave */
  constructor(mill: { readonly cleanup: Cleanup }) {
    const isMill = typeof mill === 'object' && mill !== null && 'cleanup' in mill
    if (!isMill)
      throw new InvalidInputError({ path: 'mill', expected: 'what openMillrace gave', received: typeof mill })
    this.#mill = mill
  }

  /** As `mill.cleanup.startScheduler`: now and every five minutes, unless another process did less than two minutes ago. */
  startScheduler(): void {
    this.#mill.cleanup.startScheduler()
  }

  /** As `mill.cleanup.stopScheduler`: resolves once the cleanup under way has ended. */
  async stopScheduler(): Promise<void> {
    await this.#mill.cleanup.stopScheduler()
  }

  /** As `mill.cleanup.runOnce`: what the scheduler does each time. */
  async runOnce(): Promise<CleanupReport> {
    return this.#mill.cleanup.runOnce()
  }

  /** As `mill.cleanup.forceCleanup`: a whole cleanup now, or the one that is under way. */
  async forceCleanup(): Promise<CleanupReport> {
    return this.#mill.cleanup.forceCleanup()
  }
}
