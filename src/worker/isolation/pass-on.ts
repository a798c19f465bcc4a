import { Socket } from 'node:net'
import { readFrames, writeFrame } from './frames.ts'
import { BELL } from './handler-end.ts'
import type { LineEnd } from './handler-end.ts'

/** The pipe to the worker, behind stdin, stdout and stderr. */
const PIPE = 3

/** Between the pipe and the main thread's port, both ways. A stop rings the bell, so that it is seen in the middle of a turn. */
export function passOn({ port, bell }: LineEnd): void {
  const pipe = new Socket({ fd: PIPE, readable: true, writable: true })
  const rings = new Int32Array(bell)
  readFrames(pipe, (message) => {
    port.postMessage(message)
    if (isStop(message)) Atomics.add(rings, BELL.rung, 1)
  })
  const passed = (): void => {
    Atomics.add(rings, BELL.passed, 1)
    Atomics.notify(rings, BELL.passed)
  }
  port.on('message', (message: unknown) => writeFrame(pipe, message, passed))
  pipe.once('close', endProcess)
  pipe.once('error', endProcess)
}

function isStop(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'kind' in message && message.kind === 'stop'
}

/** With all it has started: nobody is left to tell what the handler does, and nobody else would end it. */
function endProcess(): void {
  const target = process.platform === 'win32' ? process.pid : -process.pid
  process.kill(target, 'SIGKILL')
}
