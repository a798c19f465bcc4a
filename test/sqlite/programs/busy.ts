/** Writes as fast as it can, one commit after the other, and counts. */
import { answer, openBench, readArguments, runtime } from './program.ts'

const { file, thread } = readArguments()
const bench = await openBench(file, thread)
const RUN_MS = 2_000

async function write(): Promise<{ commits: number; errors: string[] }> {
  const errors: string[] = []
  const startedAt = runtime.monotonic()
  let commits = 0
  while (runtime.monotonic() - startedAt < RUN_MS) {
    try {
      await bench.add()
      commits += 1
    } catch (error) {
      errors.push(String(error))
    }
  }
  return { commits, errors }
}

answer({ write })
