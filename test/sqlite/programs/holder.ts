/** A worker's session that claims when it is told to. */
import { answer, openBench, readArguments } from './program.ts'

const { file, leaseMs } = readArguments()
const bench = await openBench(file)
const holder = await bench.session({ leaseMs })
answer({ claim: async () => (await bench.take(holder)).claim })
