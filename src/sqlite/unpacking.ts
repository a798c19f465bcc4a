/** Whoever waits for an answer of the store's thread. */
import { MillraceError } from '../core/errors.ts'

export interface Unpacking {
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: MillraceError) => void
  readonly unpack: (answer: unknown) => unknown
}

export function asItIs(answer: unknown): unknown {
  return answer
}

/** A bug in the unpacking must not leave its caller without an answer. */
export function resolveUnpacked({ resolve, reject, unpack }: Unpacking, answer: unknown): void {
  try {
    resolve(unpack(answer))
  } catch (cause) {
    reject(
      new MillraceError('internal', "An answer of the store's thread could not be read. Please report this.", {
        cause,
      }),
    )
  }
}
