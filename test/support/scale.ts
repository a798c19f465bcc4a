/**
 * How often a test repeats what gains from repetition: the count itself, or more of it in a long run.
 *
 * @param count - Repetitions in a normal run. A long run (`npm run test:long`, or `MILLRACE_TEST_SCALE` set to a whole
 *   number) multiplies it.
 */
export function scaled(count: number): number {
  const text = process.env['MILLRACE_TEST_SCALE'] ?? '1'
  const scale = Number(text)
  if (Number.isInteger(scale) && scale >= 1) return count * scale
  throw new Error(`MILLRACE_TEST_SCALE is "${text}": set it to a whole number from 1`)
}
