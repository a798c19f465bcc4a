/** Integer keys in their order, cut where they don't count on: jobs that were added together mostly go through their lives together. */
export type KeyRun = readonly [offset: number, first: number, count: number]

/** Null: nobody's key. */
export function keyRuns(keys: readonly (number | null)[]): readonly KeyRun[] {
  const runs: [number, number, number][] = []
  let run: [number, number, number] | null = null
  for (const [offset, key] of keys.entries()) {
    if (key === null) run = null
    else if (run !== null && key === run[1] + run[2]) run[2] += 1
    else runs.push((run = [offset, key, 1]))
  }
  return runs
}
