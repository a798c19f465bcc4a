/** Where names stand: in the land or the water they name, as large as fits, never over one another. */
import { WATER } from './coverage.ts'
import {
  boxOf,
  brokenLines,
  evenly,
  firstThatFits,
  fromTheHeart,
  middleOf,
  nearestFirst,
  settled,
} from './label-fit.ts'
import { seas } from './seas.ts'

import type { GeoProjection } from 'd3-geo'

import type { Coverage, Ground } from './coverage.ts'
import type { Site, Wording } from './label-fit.ts'
import type { CountryPlan, Label } from './map-plan.ts'
import type { PagePoint } from './path-text.ts'
import type { Sea } from './seas.ts'

/** A country to be named; its place in the list is its ground in the coverage. */
export interface NamedCountry {
  readonly name: string
  /** A shorter name for where the full one doesn't fit. */
  readonly shortName: string
  readonly role: CountryPlan['role']
  /** Whether it shares a border with another country on the map. */
  readonly hasBorder: boolean
}

export interface PlaceLabels {
  readonly coverage: Coverage
  readonly project: GeoProjection
  readonly countries: readonly NamedCountry[]
  /** The side of a cell of the coverage. */
  readonly cell: number
  /** By how much lettering differs from that of an A4 sheet. */
  readonly unit: number
}

/** A country with the middles of its cells. */
interface Subject {
  readonly country: NamedCountry
  readonly ground: Ground
  readonly cells: readonly PagePoint[]
}

const MOST_PLACES = 400
const MOST_WATER_PLACES = 4000
/** The sizes of names, in A4 pixels. */
const SMALLEST = 6.5
const LARGEST = { focus: 40, country: 18 } as const
const SEA_SIZES = { ocean: [24, 20, 16, 13, 11], sea: [15, 13, 11, 9.5, 8.5], gulf: [10, 9, 8, 7] } as const
const ISLAND_SIZE = 8
/** How wide letters may be spaced, the best first. */
const SPACINGS = { focus: [0.7, 0.45, 0.25, 0.1], country: [0.35, 0.2, 0.08] } as const
const SEA_SPACING = { ocean: 0.45, sea: 0.25, gulf: 0.1 } as const
/** In degrees, for names that are not the map's own. */
const STEEPEST = 72
/** How far a mainland, an island and an archipelago may extend to have their name in the water, in A4 pixels. */
const MAINLAND_BESIDE = 32
const ISLAND_BESIDE = 60
const ARCHIPELAGO_BESIDE = 240

/** The names of countries from the largest to the smallest, then those of waters, then those of islands that have room only beside them. */
export function placeLabels(request: PlaceLabels): Label[] {
  const { coverage, countries } = request
  const seen: Subject[] = countries
    .map((country, ground) => ({ country, ground, cells: coverage.cellsOf(ground) }))
    .filter(({ cells }) => cells.length > 0)
    .toSorted((a, b) => rank(b.country) - rank(a.country) || b.cells.length - a.cells.length)
  const labels: Label[] = []
  const beside: Subject[] = []
  for (const subject of seen) {
    const label = placeWithin(request, subject)
    if (label === undefined) beside.push(subject)
    else labels.push(settled(coverage, label))
  }
  return [...labels, ...placeSeas(request), ...beside.flatMap((subject) => placeBeside(request, subject))]
}

function rank({ role }: NamedCountry): number {
  return role === 'focus' ? 1 : 0
}

/** In the country itself: level or along it, in full or shortened, whichever is clearly larger. */
function placeWithin(request: PlaceLabels, { country, ground, cells }: Subject): Label | undefined {
  const { coverage, cell, unit } = request
  const kind = country.role === 'focus' ? 'focus' : 'country'
  const isFocus = kind === 'focus'
  const side = Math.sqrt(cells.length) * cell
  const sizes = sizesFrom(Math.min(LARGEST[kind] * unit, side / (isFocus ? 7 : 9)), SMALLEST * unit)
  const site: Site = {
    places: fromTheHeart(cells, isFocus ? MOST_PLACES : MOST_PLACES / 2),
    ground,
    share: isFocus ? 1 : 0.95,
    tolerated: WATER,
  }
  const fit = (name: string, angle: number): Label | undefined => {
    const lines = brokenLines(name.toLocaleUpperCase('en'))
    const wordings = sizes.flatMap((size) =>
      SPACINGS[kind].flatMap((spacing) =>
        lines.map((broken): Wording => ({ kind, lines: broken, size, spacing, angle })),
      ),
    )
    return firstThatFits(coverage, wordings, site)
  }
  const { angle, isLong } = axisOf(cells)
  // Only the country that the map is about may make the reader turn the head.
  const along = isLong && (isFocus || Math.abs(angle) <= STEEPEST)
  const inFull = clearlyLarger(fit(country.name, 0), along ? fit(country.name, angle) : undefined)
  if (country.shortName === country.name || isFocus) return inFull ?? fit(country.shortName, 0)
  return clearlyLarger(inFull, fit(country.shortName, 0))
}

function clearlyLarger(preferred: Label | undefined, other: Label | undefined): Label | undefined {
  return other !== undefined && other.size > (preferred?.size ?? 0) * 1.4 ? other : preferred
}

function placeSeas({ coverage, project, unit }: PlaceLabels): Label[] {
  const water = evenly(coverage.cellsOf(WATER), MOST_WATER_PLACES).flatMap((place) => {
    const position = project.invert?.([...place])
    return position === undefined || position === null ? [] : [{ place, position }]
  })
  return seas.flatMap(({ name, rank: seaRank, boxes }) => {
    const inside = water.filter(({ position }) => isWithin(position, boxes)).map(({ place }) => place)
    const lines = brokenLines(name)
    const spacing = SEA_SPACING[seaRank]
    const wordings = SEA_SIZES[seaRank].flatMap((size) =>
      lines.map((broken): Wording => ({ kind: 'sea', lines: broken, size: size * unit, spacing, angle: 0 })),
    )
    const places = fromTheHeart(inside, MOST_PLACES)
    const label = firstThatFits(coverage, wordings, { places, ground: WATER, share: 1 })
    return label === undefined ? [] : [settled(coverage, label)]
  })
}

/** On the water beside what is too small for its name, or among the islands of an archipelago. */
function placeBeside({ coverage, unit, cell }: PlaceLabels, { country, cells }: Subject): Label[] {
  const sides = sidesOf(cells, cell)
  const extent = Math.max(sides.right - sides.left, sides.bottom - sides.top) / unit
  const largest = country.hasBorder ? MAINLAND_BESIDE : ARCHIPELAGO_BESIDE
  if (country.role !== 'focus' && extent > largest) return []
  for (const name of new Set([country.name, country.shortName])) {
    const wording: Wording = { kind: 'island', lines: [name], size: ISLAND_SIZE * unit, spacing: 0.04, angle: 0 }
    const places = extent > ISLAND_BESIDE ? placesAmong(sides, middleOf(cells)) : placesAround(sides, wording)
    const label = firstThatFits(coverage, [wording], { places, ground: WATER, share: 1 })
    if (label !== undefined) return [settled(coverage, label)]
  }
  return []
}

interface Sides {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

function sidesOf(cells: readonly PagePoint[], cell: number): Sides {
  const [xs, ys] = [cells.map(([x]) => x), cells.map(([, y]) => y)]
  return {
    left: Math.min(...xs) - cell,
    right: Math.max(...xs) + cell,
    top: Math.min(...ys) - cell,
    bottom: Math.max(...ys) + cell,
  }
}

/** To the right and the left of an island, in the middle, low and high, then below and above it. */
function placesAround({ left, right, top, bottom }: Sides, wording: Wording): PagePoint[] {
  const { width, height } = boxOf(wording, 0, 0)
  const middle = (left + right) / 2
  const aside = [(top + bottom) / 2, bottom, top].flatMap((y): PagePoint[] => [
    [right + width / 2, y],
    [left - width / 2, y],
  ])
  return [...aside, [middle, bottom + height / 2], [middle, top - height / 2]]
}

function placesAmong({ left, right, top, bottom }: Sides, middle: PagePoint): PagePoint[] {
  const steps = Array.from({ length: 15 }, (_, step) => step / 14)
  const places = steps.flatMap((across) =>
    steps.map((down): PagePoint => [left + (right - left) * across, top + (bottom - top) * down]),
  )
  return nearestFirst(places, middle)
}

function sizesFrom(wanted: number, smallest: number): number[] {
  const sizes: number[] = []
  for (let size = Math.max(wanted, smallest); size >= smallest; size *= 0.86) sizes.push(size)
  return sizes
}

/** The direction in which a land extends most, and whether it is at least twice as long as wide. */
function axisOf(cells: readonly PagePoint[]): { angle: number; isLong: boolean } {
  const count = cells.length
  const middleX = cells.reduce((sum, [x]) => sum + x, 0) / count
  const middleY = cells.reduce((sum, [, y]) => sum + y, 0) / count
  let [xx, yy, xy] = [0, 0, 0]
  for (const [x, y] of cells) {
    xx += (x - middleX) ** 2
    yy += (y - middleY) ** 2
    xy += (x - middleX) * (y - middleY)
  }
  const turn = Math.atan2(2 * xy, xx - yy) / 2
  const spread = Math.hypot((xx - yy) / 2, xy)
  const mean = (xx + yy) / 2
  return { angle: Math.round((turn * 180) / Math.PI), isLong: mean + spread > 4 * (mean - spread) }
}

function isWithin([longitude, latitude]: readonly [number, number], boxes: Sea['boxes']): boolean {
  return boxes.some(
    ([west, south, east, north]) => longitude >= west && longitude <= east && latitude >= south && latitude <= north,
  )
}
