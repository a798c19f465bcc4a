/** Says it is ready and ends by itself, each time with something else under way. */
import { DatabaseSync } from 'node:sqlite'

import { openBench, readArguments } from './program.ts'

const { file, ending, thread } = readArguments<{
  readonly file: string
  readonly ending: 'enqueue' | 'enqueue-close' | 'enqueue-transaction' | 'idle'
  readonly thread?: boolean
}>()
const bench = await openBench(file, thread ?? true)
const { store } = bench
process.send?.('ready')
process.disconnect()

const enqueueTen = (): void => {
  for (let n = 0; n < 10; n += 1) void store.jobs.enqueue([bench.job()])
}

if (ending === 'enqueue') enqueueTen()
if (ending === 'enqueue-close') {
  enqueueTen()
  void store.close().then(() => {
    process.exitCode = 0
  })
  process.exitCode = 3
}
if (ending === 'enqueue-transaction') {
  enqueueTen()
  const connection = new DatabaseSync(file)
  process.exitCode = 4
  void store.transactions
    .run(connection, () => store.transactions.enqueue(connection, [bench.job()]))
    .then(() => {
      process.exitCode = 0
    })
}
