/** Where names stand: in the land or the water they name, as large as fits, never over one another. */
import { WATER } from './coverage.ts'
import { textWidth } from './lettering.ts'
import { seas } from './seas.ts'

import type { GeoProjection } from 'd3-geo'

import type { Box, CellPoint, Coverage, Ground } from './coverage.ts'
import type { LetterStyle } from './lettering.ts'
import type { CountryPlan, Label } from './map-plan.ts'
import type { PagePoint } from './path-text.ts'
import type { Sea } from './seas.ts'

/** A country to be named; its number is its ground in the coverage. */
export interface NamedCountry {
  readonly name: string
  /** A shorter name for where the full one doesn't fit. */
  readonly shortName: string
  readonly role: CountryPlan['role']
  /** Whether it shares a border with another country. */
  readonly hasBorder: boolean
}

export interface PlaceLabels {
  readonly coverage: Coverage
  readonly project: GeoProjection
  readonly countries: readonly NamedCountry[]
  /** The size of a cell, and by how much lettering differs from that of an A4 sheet. */
  readonly cell: number
  readonly unit: number
}

/** A way to write a name. */
interface Wording {
  readonly kind: Label['kind']
  readonly lines: readonly string[]
  readonly size: number
  readonly spacing: number
  readonly angle: number
}

/** Where a name may stand: some places, the best first, and what must be under it. */
interface Site {
  readonly places: readonly PagePoint[]
  readonly ground: Ground
  readonly share: number
  readonly tolerated?: Ground
}

const LINE_HEIGHT = 1.2
const MOST_PLACES = 400
const MOST_WATER_PLACES = 4000
const SMALLEST = 6.5
const STEEPEST = 72
/** How far a mainland, an island and an archipelago may extend to have their name in the water, in A4 pixels. */
const MAINLAND_BESIDE = 32
const ISLAND_BESIDE = 60
const ARCHIPELAGO_BESIDE = 240
const SEA_SIZES = { ocean: [24, 20, 16, 13, 11], sea: [15, 13, 11, 9.5, 8.5], gulf: [10, 9, 8, 7] } as const
const SEA_SPACING = { ocean: 0.45, sea: 0.25, gulf: 0.1 } as const
const ISLAND_SIZE = 8

/** The names of countries from the largest to the smallest, then those of waters, then those of islands that have room only beside them. */
export function placeLabels(request: PlaceLabels): Label[] {
  const { coverage, countries } = request
  const seen = countries
    .map((country, ground) => ({ country, ground, cells: coverage.cellsOf(ground) }))
    .filter(({ cells }) => cells.length > 0)
    .toSorted((a, b) => rank(b.country) - rank(a.country) || b.cells.length - a.cells.length)
  const labels: Label[] = []
  const beside: typeof seen = []
  for (const subject of seen) {
    const label = placeWithin(request, subject)
    if (label === undefined) beside.push(subject)
    else labels.push(label)
  }
  return [...labels, ...placeSeas(request), ...beside.flatMap((subject) => placeBeside(request, subject) ?? [])]
}

interface Subject {
  readonly country: NamedCountry
  readonly ground: Ground
  readonly cells: readonly CellPoint[]
}

function rank({ role }: NamedCountry): number {
  return role === 'focus' ? 1 : 0
}

function placeWithin(request: PlaceLabels, { country, ground, cells }: Subject): Label | undefined {
  const { cell, unit } = request
  const kind = country.role === 'focus' ? 'focus' : 'country'
  const side = Math.sqrt(cells.length) * cell
  const isFocus = kind === 'focus'
  const largest = Math.min(isFocus ? 40 * unit : 18 * unit, side / (isFocus ? 7 : 9))
  const sizes = sizesFrom(Math.max(largest, SMALLEST * unit), SMALLEST * unit)
  const spacings = isFocus ? [0.7, 0.45, 0.25, 0.1] : [0.35, 0.2, 0.08]
  const site = { places: fromTheHeart(cells, isFocus ? MOST_PLACES : MOST_PLACES / 2), ground, share: isFocus ? 1 : 0.95, tolerated: WATER }
  const known = [...new Set([country.name, country.shortName])].map((name) => name.toLocaleUpperCase('en'))
  const { angle, isLong } = axisOf(cells)
  const level = firstThatFits(request, wordings(0), site)
  // Only the country that the map is about may make the reader turn the head.
  const isReadable = isLong && (isFocus || Math.abs(angle) <= STEEPEST)
  const along = isReadable ? firstThatFits(request, wordings(angle), site) : undefined
  const best = along !== undefined && along.size > (level?.size ?? 0) * 1.4 ? along : level
  return best && settled(request, best)
}

function placeSeas(request: PlaceLabels): Label[] {
  const { coverage, project, unit } = request
  const water = evenly(coverage.cellsOf(WATER), MOST_WATER_PLACES).flatMap((place) => {
    const position = project.invert?.([...place])
    return position === undefined || position === null ? [] : [{ place, position }]
  })
  return seas.flatMap(({ name, rank: seaRank, boxes }) => {
    const inside = water.filter(({ position }) => isWithin(position, boxes)).map(({ place }) => place)
    const wordings = SEA_SIZES[seaRank].flatMap((size) =>
      brokenLines(name).map(
        (lines): Wording => ({ kind: 'sea', lines, size: size * unit, spacing: SEA_SPACING[seaRank], angle: 0 }),
      ),
    )
    const label = firstThatFits(request, wordings, {
      places: fromTheHeart(inside, MOST_PLACES),
      ground: WATER,
      share: 1,
    })
    return label === undefined ? [] : [settled(request, label)]
  })
}

/** On the water beside what is too small for its name, or among the islands of an archipelago. */
function placeBeside(request: PlaceLabels, { country, cells }: Subject): Label | undefined {
  const size = ISLAND_SIZE * request.unit
  const [xs, ys] = [cells.map(([x]) => x), cells.map(([, y]) => y)]
  const [left, right] = [Math.min(...xs) - request.cell, Math.max(...xs) + request.cell]
  const [top, bottom] = [Math.min(...ys) - request.cell, Math.max(...ys) + request.cell]
  const extent = Math.max(right - left, bottom - top) / request.unit
  if (extent > (country.hasBorder ? MAINLAND_BESIDE : ARCHIPELAGO_BESIDE)) return undefined
  for (const name of new Set([country.name, country.shortName])) {
    const wording: Wording = { kind: 'island', lines: [name], size, spacing: 0.04, angle: 0 }
    const { width, height } = boxOf(wording, 0, 0)
    const rows = [(top + bottom) / 2, bottom, top]
    const around: PagePoint[] = [
      ...rows.flatMap((y): PagePoint[] => [
        [right + width / 2, y],
        [left - width / 2, y],
      ]),
      [(left + right) / 2, bottom + height / 2],
      [(left + right) / 2, top - height / 2],
    ]
    const among = gridWithin({ left, right, top, bottom }, middleOf(cells))
    const places = extent > ISLAND_BESIDE ? among : around
    const label = firstThatFits(request, [wording], { places, ground: WATER, share: 1 })
    if (label !== undefined) return settled(request, label)
  }
  return undefined
}

interface Sides {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

function gridWithin({ left, right, top, bottom }: Sides, [middleX, middleY]: PagePoint): PagePoint[] {
  const steps = Array.from({ length: 15 }, (_, step) => step / 14)
  const places = steps.flatMap((across) =>
    steps.map((down): PagePoint => [left + (right - left) * across, top + (bottom - top) * down]),
  )
  const distance = ([x, y]: PagePoint): number => Math.hypot(x - middleX, y - middleY)
  return places.toSorted((a, b) => distance(a) - distance(b))
}

function firstThatFits({ coverage }: PlaceLabels, wordings: readonly Wording[], site: Site): Label | undefined {
  for (const wording of wordings) {
    const place = site.places.find(([x, y]) =>
      coverage.allows(boxOf(wording, x, y), site.ground, site.share, site.tolerated),
    )
    if (place === undefined) continue
    const { kind, lines, size, spacing, angle } = wording
    return { kind, lines: [...lines], x: tenth(place[0]), y: tenth(place[1]), size: tenth(size), spacing: tenth(spacing * size), angle }
  }
  return undefined
}

function settled({ coverage }: PlaceLabels, label: Label): Label {
  coverage.take(boxOf({ ...label, spacing: label.spacing / label.size }, label.x, label.y))
  return label
}

/** What a name takes, with some air around it. */
function boxOf({ kind, lines, size, spacing, angle }: Wording, x: number, y: number): Box {
  const style: LetterStyle = kind === 'sea' ? 'italic' : 'upright'
  const width = Math.max(...lines.map((line) => textWidth(line, style, size, spacing * size)))
  const height = (lines.length - 1) * LINE_HEIGHT * size + 0.7 * size
  return { x, y, width: width + 0.5 * size, height: height + 0.45 * size, angle }
}

/** A name as one line, and as the two most equal ones. */
function brokenLines(name: string): string[][] {
  const words = name.split(' ')
  const breaks = words.slice(1).map((_, index) => {
    const lines = [words.slice(0, index + 1).join(' '), words.slice(index + 1).join(' ')]
    return { lines, longest: Math.max(...lines.map((line) => line.length)) }
  })
  const best = breaks.toSorted((a, b) => a.longest - b.longest)[0]
  return best === undefined ? [[name]] : [[name], best.lines]
}

function sizesFrom(largest: number, smallest: number): number[] {
  const sizes: number[] = []
  for (let size = largest; size >= smallest; size *= 0.86) sizes.push(size)
  return sizes
}

/** Some of the places, those nearest to the middle of all first. */
function fromTheHeart(places: readonly PagePoint[], most: number): PagePoint[] {
  const [middleX, middleY] = middleOf(places)
  const distance = ([x, y]: PagePoint): number => Math.hypot(x - middleX, y - middleY)
  return evenly(places, most).toSorted((a, b) => distance(a) - distance(b))
}

function evenly<T>(items: readonly T[], most: number): T[] {
  const step = Math.max(1, items.length / most)
  return Array.from({ length: Math.floor(items.length / step) }, (_, index) => items[Math.floor(index * step)]).filter(
    (item) => item !== undefined,
  )
}

/** Half of the places lie on either side of it: unlike the mean it stays on the main island. */
function middleOf(places: readonly PagePoint[]): PagePoint {
  return [medianOf(places.map(([x]) => x)), medianOf(places.map(([, y]) => y))]
}

function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0
}

/** The direction in which a land extends most, and whether it is at least twice as long as wide. */
function axisOf(cells: readonly CellPoint[]): { angle: number; isLong: boolean } {
  const [middleX, middleY] = middleOf(cells)
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

function tenth(length: number): number {
  return Math.round(length * 10) / 10
}
