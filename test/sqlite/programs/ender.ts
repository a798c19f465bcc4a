/** Says it is ready and ends by itself, each time with something else under way. */
import { DatabaseSync } from 'node:sqlite'

import { openBench, readArguments } from './program.ts'

const { file, ending, thread } = readArguments()
const bench = await openBench(file, thread)
const { store } = bench
process.send?.('ready')
process.disconnect()

const enqueueTen = (): void => {
  for (let n = 0; n < 10; n += 1) void store.jobs.enqueue([bench.job()])
}

/** The exit code tells whether the program came so far. */
async function endWell(task: () => Promise<unknown>): Promise<void> {
  process.exitCode = 3
  await task()
  process.exitCode = 0
}

if (ending !== 'idle') enqueueTen()
if (ending === 'enqueue-close') void endWell(() => store.close())
if (ending === 'enqueue-transaction') {
  const connection = new DatabaseSync(file)
  void endWell(() => store.transactions.run(connection, () => store.transactions.enqueue(connection, [bench.job()])))
}
