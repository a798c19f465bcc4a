/** Which country a code means. */
import { ISO_COUNTRIES } from './iso-countries.ts'

/** The codes and the name of a country or territory. */
export interface Country {
  /** ISO 3166-1 alpha-2, such as `FR`. */
  readonly alpha2: string
  /** ISO 3166-1 alpha-3, such as `FRA`. */
  readonly alpha3: string
  /** ISO 3166-1 numeric with leading zeros, such as `250`; `---` for Kosovo, which has none. */
  readonly numeric: string
  /** In English. */
  readonly name: string
}

/** No country has the code asked for; trying again changes nothing. */
export class UnknownRegionError extends Error {
  override readonly name = 'UnknownRegionError'
  readonly code = 'region-unknown'
  readonly status = 404
}

/** Every country and territory that can be mapped by its code, in the order of their names. */
export const countries: readonly Country[] = ISO_COUNTRIES.trim()
  .split('\n')
  .map((line) => {
    const [alpha2 = '', alpha3 = '', numeric = '', ...words] = line.split(' ')
    return { alpha2, alpha3, numeric, name: words.join(' ') }
  })

const byCode: ReadonlyMap<string, Country> = new Map(
  countries.flatMap((country) => [
    [country.alpha2, country],
    [country.alpha3, country],
    [country.numeric, country],
  ]),
)

const byNumeric: ReadonlyMap<string, Country> = new Map(countries.map((country) => [country.numeric, country]))

/**
 * The country with an ISO 3166-1 code, alpha-2, alpha-3 or numeric, in either case.
 *
 * @throws UnknownRegionError which suggests codes that look or sound alike
 */
export function countryByCode(code: string): Country {
  const country = byCode.get(code.trim().toUpperCase())
  if (country !== undefined) return country
  const near = nearMatches(code).map(({ alpha3, name }) => `${alpha3} (${name})`)
  const advice =
    near.length > 0
      ? `did you mean ${new Intl.ListFormat('en', { type: 'disjunction' }).format(near)}?`
      : 'see ISO 3166-1'
  throw new UnknownRegionError(`unknown region ${JSON.stringify(code)}: ${advice}`)
}

/** The name that maps print for a country of the atlas, which itself shortens many names. */
export function printedName(numeric: string | undefined, atlasName: string): string {
  return byNumeric.get(numeric ?? '')?.name ?? atlasName
}

/** At most three countries, the nearest first; none if nothing is near. */
function nearMatches(code: string): Country[] {
  const typed = code.trim().toLowerCase()
  const measured = countries.map((country) => ({ country, distance: distanceTo(country, typed) }))
  const near = measured.filter(({ distance }) => distance <= 1 || distance <= typed.length / 4)
  return near
    .toSorted((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ country }) => country)
}

function distanceTo({ alpha2, alpha3, name }: Country, typed: string): number {
  const full = name.toLowerCase()
  // Someone who typed the beginning of the name, or FRN for France, meant the country rather than its neighbour in the alphabet.
  if (typed.length >= 3 && (full.startsWith(typed) || skeleton(full).startsWith(skeleton(typed)))) return 0.5
  return Math.min(...[alpha2, alpha3, name].map((known) => editDistance(known.toLowerCase(), typed)))
}

/** The first letter and the consonants after it. */
function skeleton(word: string): string {
  return word.slice(0, 1) + word.slice(1).replaceAll(/[aeiou\s]/g, '')
}

/** How many letters must be added, removed or changed to make one word the other (Levenshtein). */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [row, letter] of [...a].entries()) {
    const current = [row + 1]
    for (const [column, other] of [...b].entries()) {
      const changed = (previous[column] ?? 0) + (letter === other ? 0 : 1)
      current.push(Math.min(changed, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1))
    }
    previous = current
  }
  return previous[b.length] ?? 0
}
