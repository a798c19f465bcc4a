/** Public ids are UUIDs as text, and 16 bytes in the tables. */

export function idToBytes(id: string): Uint8Array {
  return Buffer.from(id.replaceAll('-', ''), 'hex')
}

export function idFromBytes(bytes: unknown): string {
  if (!(bytes instanceof Uint8Array)) throw new TypeError('an id that is no blob')
  return dashed(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex'))
}

/** The public id from its hexadecimal digits. */
export function dashed(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
