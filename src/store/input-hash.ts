import { createHash } from 'node:crypto'
import { canonicalJson, decodeJson } from '../core/json.ts'

/** What a key remembers of its input. Two inputs are the same if they are the same JSON, in whatever order their keys stand. */
export function inputHash(input: string): Buffer {
  return createHash('sha256')
    .update(canonicalJson(decodeJson(input)))
    .digest()
}
