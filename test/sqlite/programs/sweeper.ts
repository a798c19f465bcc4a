/** Sweeps again and again, and counts what it took from others. */
import { answer, openBench, readArguments, runtime } from './program.ts'

const { file, everyMs } = readArguments()
const bench = await openBench(file)
const report = { sessionsEnded: 0, jobsReaped: 0 }

async function sweepOnce(): Promise<void> {
  const { sessionsEnded, jobsReaped } = await bench.sweep()
  report.sessionsEnded += sessionsEnded
  report.jobsReaped += jobsReaped
}

async function sweepOn(): Promise<void> {
  await sweepOnce()
  runtime.after(everyMs, () => void sweepOn())
}

await sweepOn()
answer({
  report: async () => {
    await sweepOnce()
    return report
  },
})
