/** A module for `millrace work`: how a book behaves in the middle of its second phase is in its input. */
import { tellParent } from '../../support/parent-process.ts'
import { nextTurn } from '../../support/wait-for-event.ts'
import { bookHandler } from './book-jobs.ts'

/** `patient`: ends by itself once it was told that the worker stops claiming. `heedful`: when its signal says so. `stubborn`: never. */
export type Temper = 'patient' | 'heedful' | 'stubborn'

export const handler: ReturnType<typeof bookHandler> = bookHandler({
  onEnter: (facts) => tellParent('entered', facts),
  inTheMiddle: async (signal, input) => {
    const { temper } = input as { readonly temper: Temper }
    tellParent('middle')
    if (temper === 'stubborn') await new Promise<never>(() => undefined)
    if (temper === 'heedful') await aborted(signal)
    const stopping = new Promise((resolve) => process.once('SIGTERM', resolve))
    await stopping
    await nextTurn()
  },
})

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}
