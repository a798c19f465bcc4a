/** Orders that are placed again and again under the same key, because whoever placed them never heard the answer. */
import { defineJob } from '../../../src/index.ts'

export const order = defineJob('order.place', { service: 'shop' })

/** Answers that a caller got, by key. A type, so that it counts as JSON. */
export type Answer = { readonly key: string; readonly outcome: 'created' | 'duplicate'; readonly id: string }
