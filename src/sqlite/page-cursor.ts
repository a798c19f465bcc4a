/**
 * Where a page of jobs ended. A job's integer key counts the jobs of all tenants, so it is not told to one of them: the cursor is the key, enciphered
 * with a secret of the database. Eight bytes of zeros beside it tell a cursor of ours from any other text.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { Database } from './database.ts'

const SECRET = "SELECT content FROM millrace_meta WHERE name = 'cursor-secret'"
const CIPHER = 'aes-128-ecb'
const BLOCK_BYTES = 16

function secretOf(db: Database): Uint8Array {
  const secret = db.get(SECRET)?.['content']
  if (secret instanceof Uint8Array) return secret
  throw new RangeError('the database has no secret for its cursors')
}

export function sealCursor(db: Database, n: number): string {
  const block = Buffer.alloc(BLOCK_BYTES)
  block.writeBigUInt64BE(BigInt(n))
  return createCipheriv(CIPHER, secretOf(db), null).setAutoPadding(false).update(block).toString('hex')
}

/** Null: it is none of ours, and leads nowhere. */
export function openCursor(db: Database, cursor: string): number | null {
  const sealed = Buffer.from(cursor, 'hex')
  if (sealed.length !== BLOCK_BYTES) return null
  const block = createDecipheriv(CIPHER, secretOf(db), null).setAutoPadding(false).update(sealed)
  return block.readBigUInt64BE(BLOCK_BYTES / 2) === 0n ? Number(block.readBigUInt64BE()) : null
}
