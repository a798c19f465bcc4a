/**
 * A small generator of numbers that look random and are the same for the same seed: xorshift of 32 bits with the shifts 13, 17, 5
 * (George Marsaglia, "Xorshift RNGs", Journal of Statistical Software, 2003). For replaying tests, not for secrets.
 *
 * @param seed a whole number
 * @returns whole numbers from 1 to 2^32 - 1
 */
export function seededWords(seed: number): () => number {
  let state = spread(seed)
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

/** Neighbouring seeds begin far apart, and none begins at 0, which the generator never leaves. */
function spread(seed: number): number {
  const mixed = Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) ^ 0x5bd1e995
  return mixed === 0 ? 1 : mixed
}
