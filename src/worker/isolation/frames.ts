/** Messages over a pipe between two processes: each as its length in four bytes and then itself, as structured clone writes it. */
import type { Duplex } from 'node:stream'
import { deserialize, serialize } from 'node:v8'

const LENGTH_BYTES = 4

export function writeFrame(pipe: Duplex, message: unknown, onWritten: () => void = () => {}): void {
  const body = serialize(message)
  const head = Buffer.allocUnsafe(LENGTH_BYTES)
  head.writeUInt32LE(body.byteLength)
  pipe.cork()
  pipe.write(head)
  pipe.write(body, onWritten)
  pipe.uncork()
}

/** Calls back with every message that comes, in order. */
export function readFrames(pipe: Duplex, onMessage: (message: unknown) => void): void {
  let chunks: Buffer[] = []
  let bytes = 0
  let wanted = LENGTH_BYTES
  let inBody = false
  pipe.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    bytes += chunk.byteLength
    while (bytes >= wanted) {
      const all = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
      const part = all.subarray(0, wanted)
      const rest = all.subarray(wanted)
      chunks = rest.byteLength === 0 ? [] : [rest]
      bytes = rest.byteLength
      wanted = inBody ? LENGTH_BYTES : part.readUInt32LE()
      if (inBody) onMessage(deserialize(part))
      inBody = !inBody
    }
  })
}
