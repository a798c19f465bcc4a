import { monitorEventLoopDelay } from 'node:perf_hooks'

/** Milliseconds of a clock that is the same in every process of the machine. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1_000_000
}

/** Watches the event loop; the function it gives back tells the 99th percentile of its delay, in milliseconds. */
export function watchLoop(): () => number {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  return () => {
    histogram.disable()
    return histogram.percentile(99) / 1_000_000
  }
}
