/** A module that opens Millrace when it is imported, as a worker's program does: no thread or process may load it. */
import { defineJob, handle, openMillrace } from '../../../src/index.ts'

export const opening = defineJob('shop.open', { service: 'shop' })

export const openingHandler = handle(opening, { module: import.meta.url, isolation: 'thread' }).phase(
  'run',
  () => 'open',
)

const mill = await openMillrace('sqlite::memory:')
await mill.close()
