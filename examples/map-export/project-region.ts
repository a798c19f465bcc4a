/** The second phase: from the globe to the page. */
import { mesh, neighbors } from 'topojson-client'

import { joinedAcrossAntimeridian } from './antimeridian.ts'
import { arcsOf, atlasOf, openAtlas, polygonsOf, shapeOf } from './atlas.ts'
import { Coverage, WATER } from './coverage.ts'
import { generalised } from './generalise.ts'
import { graticuleOf } from './graticule.ts'
import { placeLabels } from './labels.ts'
import { layoutOf } from './layout.ts'
import { locatorOf } from './locator.ts'
import { millimetres, pageOf } from './paper.ts'
import { areaWithin, circle, pathText, strokesOf } from './path-text.ts'
import { fitProjection, scaleText } from './projection.ts'
import { radians } from './sphere.ts'

import type { Atlas, AtlasCountry, CountryShape } from './atlas.ts'
import type { Graticule } from './graticule.ts'
import type { NamedCountry } from './labels.ts'
import type { Layout } from './layout.ts'
import type { RegionOutlines } from './load-region.ts'
import type { CountryPlan, MapPlan, Rectangle, ScaleBar } from './map-plan.ts'
import type { MapRequest } from './map-request.ts'
import type { Page } from './paper.ts'
import type { PagePoint, Stroke } from './path-text.ts'
import type { FittedProjection } from './projection.ts'

/** The most that a plan takes as JSON, in bytes. */
export const MAX_PLAN_BYTES: number = 245 * 1024

/** How far a line may move, in page pixels: too little to be seen in print. Plans that come out too large are thinned further. */
const FINEST_TOLERANCE = 0.25
const MOST_ROUNDS = 10
/** Islands of a smaller area, in square A4 pixels, are left out. */
const SMALLEST_LAND = 0.6
const SMALLEST_FOCUS = 0.15
const DOT_RADIUS = 4
const BLEED = 26
const PADDING = 0.05
const CELL = 3.2
/** Names keep this distance from the neat line. */
const LABEL_MARGIN = 7
const LOCATOR_RADIUS = 31
const TINTS = 5

/** What stays the same however fine the lines are. */
interface Sheet {
  readonly outlines: RegionOutlines
  readonly page: Page
  readonly layout: Layout
  readonly fitted: FittedProjection
  readonly graticule: Graticule
  readonly sphere: Stroke[]
  readonly title: string
}

/** A country with its lines on the page. */
interface DrawnCountry {
  readonly country: AtlasCountry
  readonly name: string
  readonly role: CountryPlan['role']
  readonly strokes: readonly Stroke[]
}

/**
 * Projects everything that is on the map, country by country. Lines are thinned until the plan takes at most 245 KB as JSON.
 *
 * @param onProgress is told after each country how much is done, 0 to 1, never less than before
 * @throws ImpossibleSizeError if the page can't be printed
 */
export function projectRegion(
  outlines: RegionOutlines,
  request: MapRequest,
  onProgress?: (share: number) => void,
): MapPlan {
  const sheet = sheetOf(outlines, request)
  let reported = 0
  const report = (share: number): void => {
    reported = Math.max(reported, share)
    onProgress?.(reported)
  }
  let tolerance = FINEST_TOLERANCE
  let plan = planWith(sheet, tolerance, report)
  for (let round = 1; round < MOST_ROUNDS && sizeOf(plan) > MAX_PLAN_BYTES; round += 1) {
    tolerance *= Math.max(1.3, sizeOf(plan) / MAX_PLAN_BYTES)
    plan = planWith(sheet, tolerance, report)
  }
  report(1)
  return plan
}

function sheetOf(outlines: RegionOutlines, request: MapRequest): Sheet {
  const page = pageOf(request, outlines.lies)
  const layout = layoutOf(page)
  const { map, unit } = layout
  const padding = PADDING * Math.min(map.width, map.height)
  const fitted = fitProjection({ outlines, request, map, padding, bleed: BLEED * unit })
  return {
    outlines,
    page,
    layout,
    fitted,
    graticule: graticuleOf(fitted, map),
    sphere: strokesOf(fitted.project, { type: 'Sphere' }),
    title: request.title ?? outlines.name,
  }
}

function planWith(sheet: Sheet, tolerance: number, report: (share: number) => void): MapPlan {
  const { outlines, page, layout, fitted, graticule, sphere, title } = sheet
  const { map, unit } = layout
  const atlas = thinnedAtlas(sheet, tolerance)
  const drawn = drawCountries(sheet, atlas, (share) => report(share * 0.8))
  const coverage = coverageOf(sheet, drawn)
  const borderedBy = neighbors(drawn.map(({ country }) => country))
  const countries = drawn.map((country, index) => named(country, (borderedBy[index] ?? []).length > 0))
  const labels = placeLabels({ coverage, project: fitted.project, countries, cell: CELL * unit, unit })
  report(0.95)
  const tints = tintsOf(borderedBy)
  return {
    page: { ...page },
    unit,
    map,
    region: outlines.name,
    title,
    projection: fitted.name,
    scale: scaleText(fitted.scale),
    scaleBar: scaleBarOf(fitted, map),
    sphere: pathText(sphere),
    graticule: pathText(graticule.strokes),
    countries: drawn.map(({ name, role, strokes }, index) => ({
      name,
      role,
      tint: tints[index] ?? 0,
      path: pathText(strokes),
    })),
    borders: pathText(strokesOf(fitted.project, bordersOf(atlas, drawn))),
    labels,
    ticks: graticule.ticks,
    locator: locatorOf(fitted, outlines, map, Math.round(LOCATOR_RADIUS * unit)),
  }
}

function thinnedAtlas({ outlines, fitted }: Sheet, tolerance: number): Atlas {
  const atlas = openAtlas(outlines.detail)
  const seen = new Set(outlines.countries.map(({ atlasName }) => atlasName))
  const countries = atlas.countries.filter(({ properties }) => seen.has(properties.name))
  const arcs = new Set(countries.flatMap(arcsOf))
  const toleranceDeg = tolerance / fitted.pixelsPerRadian / radians
  return { ...atlasOf(generalised(atlas.topology, { arcs, toleranceDeg })), countries }
}

function drawCountries(sheet: Sheet, atlas: Atlas, report: (share: number) => void): DrawnCountry[] {
  const { outlines, layout } = sheet
  const names = new Map(outlines.countries.map(({ atlasName, name }) => [atlasName, name]))
  const drawn: DrawnCountry[] = []
  for (const [index, country] of atlas.countries.entries()) {
    const atlasName = country.properties.name
    const role = roleOf(atlasName, outlines.focus)
    const strokes = strokesOfCountry(sheet, shapeOf(atlas, country), role)
    if (strokes.some((stroke) => isInside(stroke, layout.map))) {
      drawn.push({ country, name: names.get(atlasName) ?? atlasName, role, strokes })
    }
    report((index + 1) / atlas.countries.length)
  }
  return drawn
}

function strokesOfCountry(
  { outlines, fitted, layout }: Sheet,
  shape: CountryShape,
  role: CountryPlan['role'],
): Stroke[] {
  const coordinates = joinedAcrossAntimeridian(polygonsOf(shape))
  const smallest = (role === 'focus' ? SMALLEST_FOCUS : SMALLEST_LAND) * layout.unit ** 2
  const strokes = strokesOf(fitted.project, { type: 'MultiPolygon', coordinates })
  const seen = strokes.filter(({ points }) => areaWithin(points) > smallest)
  const centre = fitted.project(outlines.centre)
  // The Vatican is a line in the atlas.
  return role === 'focus' && seen.length === 0 && centre !== null ? [circle(centre, DOT_RADIUS * layout.unit)] : seen
}

function roleOf(atlasName: string, focus: string | null): CountryPlan['role'] {
  if (focus === null) return 'equal'
  return atlasName === focus ? 'focus' : 'neighbour'
}

function isInside({ points }: Stroke, { x, y, width, height }: Rectangle): boolean {
  const isBeyond = (side: (point: PagePoint) => boolean): boolean => points.every(side)
  return !(
    isBeyond(([px]) => px < x) ||
    isBeyond(([px]) => px > x + width) ||
    isBeyond(([, py]) => py < y) ||
    isBeyond(([, py]) => py > y + height)
  )
}

function coverageOf({ layout, sphere }: Sheet, drawn: readonly DrawnCountry[]): Coverage {
  const { map, unit } = layout
  const air = LABEL_MARGIN * unit
  const lettered = { x: map.x + air, y: map.y + air, width: map.width - 2 * air, height: map.height - 2 * air }
  const coverage = new Coverage(lettered, CELL * unit)
  coverage.fill(sphere, WATER)
  for (const [ground, { strokes }] of drawn.entries()) coverage.fill(strokes, ground)
  return coverage
}

function named({ name, country, role }: DrawnCountry, hasBorder: boolean): NamedCountry {
  return { name, shortName: country.properties.name, role, hasBorder }
}

function bordersOf({ topology }: Atlas, drawn: readonly DrawnCountry[]): ReturnType<typeof mesh> {
  const geometries = drawn.map(({ country }) => country)
  return mesh(topology, { type: 'GeometryCollection', geometries }, (a, b) => a !== b)
}

/** A tint for each country, none the same as that of a country beside it if the five suffice. */
function tintsOf(borderedBy: readonly number[][]): number[] {
  const tints: number[] = []
  for (const [index, near] of borderedBy.entries()) {
    const used = new Set(near.map((neighbour) => tints[neighbour]))
    // Where to begin differs, or most countries would have the first tint.
    const wheel = Array.from({ length: TINTS }, (_, step) => (index + step) % TINTS)
    tints.push(wheel.find((tint) => !used.has(tint)) ?? index % TINTS)
  }
  return tints
}

/** Four segments of a round number of kilometres, together about a quarter of the map wide. */
function scaleBarOf({ scale }: FittedProjection, { width, height }: Rectangle): ScaleBar {
  const pixelsPerKm = 1e6 / (millimetres(1) * scale)
  const longestKm = (Math.min(width, height) * 0.06) / pixelsPerKm
  const power = 10 ** Math.floor(Math.log10(longestKm))
  const segmentKm = ([5, 2.5, 2, 1.5].find((factor) => factor * power <= longestKm) ?? 1) * power
  return { segmentKm, segments: 4, segmentWidth: Math.round(segmentKm * pixelsPerKm * 100) / 100 }
}

function sizeOf(plan: MapPlan): number {
  return Buffer.byteLength(JSON.stringify(plan))
}
