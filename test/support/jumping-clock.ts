/** A clock that is set forward or back, as those of machines are: timers know nothing of it, for they go by another clock, which never jumps. */
import { virtualRuntime } from '../../src/runtime/virtual-runtime.ts'
import type { VirtualRuntime } from '../../src/runtime/virtual-runtime.ts'

export interface JumpingClock {
  readonly runtime: VirtualRuntime
  /** Sets the clock forward by `ms`, or back. */
  jump(ms: number): void
}

export function jumpingClock(): JumpingClock {
  const virtual = virtualRuntime()
  const clock = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT)
  const mirror = new BigInt64Array(clock)
  let jumpedMs = 0
  const now = (): number => virtual.now() + jumpedMs
  const show = (): void => void Atomics.store(mirror, 0, BigInt(now()))
  virtual.onMove(show)
  show()
  return {
    runtime: { ...virtual, now, clock },
    jump: (ms) => {
      jumpedMs += ms
      show()
    },
  }
}
