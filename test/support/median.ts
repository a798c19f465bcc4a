/** The one in the middle; of an even number of them, the upper of the two. NaN: there is none. */
export function median(figures: readonly number[]): number {
  return figures.toSorted((left, right) => left - right)[Math.floor(figures.length / 2)] ?? Number.NaN
}
