/** Milliseconds to be idle before each of `count` acts: mostly a few, one in ten more than 50, and the same for every contender. */
export function pauses(count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    // Multiples of the golden ratio, without their whole part, are as even as random numbers and have no rhythm.
    const share = (index * 0.618_033_988_75) % 1
    return index % 10 === 9 ? 52 + 20 * share : 2 + 8 * share
  })
}

export async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
