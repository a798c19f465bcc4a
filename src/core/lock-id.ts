/** The id of a lock that somebody has taken by hand: it is the claim, as an opaque text. */
import type { Claim } from './job-row.ts'

/** `lock_<holder in base 36>_<fence>`: the holder is 52 random bits, which nobody guesses. */
const LOCK_ID = /^lock_(?<holder>[1-9a-z][0-9a-z]{0,10})_(?<fence>[1-9][0-9]{0,14})$/

export function encodeLockId({ holder, fence }: Pick<Claim, 'holder' | 'fence'>): string {
  return `lock_${holder.toString(36)}_${fence}`
}

/** Null: the text is no id of a lock. */
export function decodeLockId(text: string): Pick<Claim, 'holder' | 'fence'> | null {
  const { holder, fence } = LOCK_ID.exec(text)?.groups ?? {}
  if (holder === undefined || fence === undefined) return null
  const claim = { holder: Number.parseInt(holder, 36), fence: Number(fence) }
  return Number.isSafeInteger(claim.holder) ? claim : null
}
