/** Public ids are UUIDs as text, and 16 bytes in the tables. */

export function idToBytes(id: string): Uint8Array {
  return Buffer.from(id.replaceAll('-', ''), 'hex')
}

export function idFromBytes(bytes: unknown): string {
  if (!(bytes instanceof Uint8Array)) throw new TypeError('an id that is no blob')
  return dashed(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex'))
}

const DIGITS = 32
const CHARACTERS = 36
const DASH = 0x2d

/** Public ids from their hexadecimal digits, one behind the other. Put together from parts each would be a dozen strings. */
export function idsFromHex(digits: string): readonly string[] {
  const from = Buffer.from(digits, 'latin1')
  const count = from.length / DIGITS
  const to = Buffer.allocUnsafe(count * CHARACTERS)
  let at = 0
  for (let index = 0; index < from.length; index += 1) {
    const digit = index % DIGITS
    if (digit === 8 || digit === 12 || digit === 16 || digit === 20) {
      to[at] = DASH
      at += 1
    }
    to[at] = from[index] ?? 0
    at += 1
  }
  return Array.from({ length: count }, (_, index) =>
    to.toString('latin1', index * CHARACTERS, (index + 1) * CHARACTERS),
  )
}

/** The public id from its hexadecimal digits. */
function dashed(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
