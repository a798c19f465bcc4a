/** The first phase: what is on the map, how fine an atlas it needs, and which way the sheet lies. */
import { geoBounds, geoContains } from 'd3-geo'

import { arcsOf, findCountry, openAtlas, polygonsOf, shapeOf } from './atlas.ts'
import { countryByCode, printedName } from './countries.ts'
import { mainLandmass } from './landmass.ts'
import { layoutOf } from './layout.ts'
import { ImpossibleSizeError, millimetres, pageOf } from './paper.ts'
import { angleBetween, EARTH_RADIUS_KM, headingTo, radians, wrapLongitude } from './sphere.ts'

import type { Position } from 'geojson'

import type { Atlas, AtlasCountry, Detail } from './atlas.ts'
import type { BoundingBox, MapRequest } from './map-request.ts'
import type { Page } from './paper.ts'

/** What the first phase found out, as plain JSON of a few kilobytes: enough to go on without asking again what the request meant. */
export interface RegionOutlines {
  /** The printed name of the country, or the corners of the box. */
  name: string
  /** The country's name in the atlas; null for a box. */
  focus: string | null
  /** Longitude and latitude of the middle, in degrees. */
  centre: [longitude: number, latitude: number]
  /** Points in degrees that must all be on the page: the farthest of the region in each direction from the middle. */
  extent: [longitude: number, latitude: number][]
  /** Width and height of the extent as seen from the middle, in radians on the globe. */
  span: { width: number; height: number }
  /** Which way a named sheet lies unless the request says otherwise. */
  lies: 'portrait' | 'landscape'
  /** The atlas that is fine enough for the scale to be expected. */
  detail: Detail
  /** How much of the country's area the map is fitted to, more than 0 to 1; 1 for a box. */
  areaShare: number
  /** The countries that may be seen, the focus among them, each by its name in the atlas and with its printed name. */
  countries: { atlasName: string; name: string }[]
}

/** What the map must show, before it is known how. */
type Ground = Pick<RegionOutlines, 'name' | 'focus' | 'areaShare'> & {
  readonly centre: [longitude: number, latitude: number]
  readonly points: readonly Position[]
}

type SheetFor = Pick<RegionOutlines, 'extent' | 'span' | 'lies' | 'detail'> & { readonly radius: number }

/** Around a smaller country its surroundings are shown as well: finer than this the atlas has nothing to tell. */
const SMALLEST_RADIUS = 30 / EARTH_RADIUS_KM
const WIDEST_RADIUS = 100 * radians
const SMALLEST_BOX_DEG = 0.1
const BOX_STEPS = 48

/**
 * Finds the region of a request in the atlas.
 *
 * @throws UnknownRegionError if no country has the code
 * @throws ImpossibleSizeError if the box has no area, or the page can't be printed
 */
export function loadRegion(request: MapRequest): RegionOutlines {
  const rough = groundIn('50m', request) ?? groundIn('10m', request)
  if (rough === undefined)
    throw new Error(`${JSON.stringify(request.region)} is in the table of countries but not in the atlas`)
  const { detail } = sheetFor(rough, request)
  // Of the smallest lands only the finest atlas has every island.
  const ground = detail === '10m' ? (groundIn('10m', request) ?? rough) : rough
  const { extent, span, lies, radius } = sheetFor(ground, request)
  return {
    name: ground.name,
    focus: ground.focus,
    centre: ground.centre,
    extent,
    span,
    lies,
    detail,
    areaShare: Math.round(ground.areaShare * 1000) / 1000,
    countries: countriesWithin(openAtlas(detail), ground.centre, radius),
  }
}

function groundIn(detail: Detail, { region }: MapRequest): Ground | undefined {
  return typeof region === 'string' ? countryGround(region, openAtlas(detail)) : boxGround(region)
}

function countryGround(code: string, atlas: Atlas): Ground | undefined {
  const { numeric, name } = countryByCode(code)
  const country = findCountry(atlas, numeric, name)
  if (country === undefined) return undefined
  const { points, areaShare } = mainLandmass(polygonsOf(shapeOf(atlas, country)))
  return { name, focus: country.properties.name, areaShare, points, centre: middleOf(points) }
}

/** What the sheet can show of the ground: which way it lies, which atlas is fine enough, and how far from the middle countries are seen. */
function sheetFor(ground: Ground, request: MapRequest): SheetFor {
  const { extent, span } = extentOf(ground)
  const pages = { portrait: pageOf(request, 'portrait'), landscape: pageOf(request, 'landscape') }
  const lies = fittingScale(pages.landscape, span) > fittingScale(pages.portrait, span) ? 'landscape' : 'portrait'
  const page = pages[lies]
  const pixelsPerRadian = fittingScale(page, span)
  const radius = (Math.hypot(page.width, page.height) / 2 / pixelsPerRadian) * 1.25
  return { extent, span, lies, radius, detail: detailFor(pixelsPerRadian) }
}

function boxGround([west, south, east, north]: BoundingBox): Ground {
  const width = east > west ? east - west : east + 360 - west
  const height = north - south
  if (west === east || width < SMALLEST_BOX_DEG || height < SMALLEST_BOX_DEG) {
    throw new ImpossibleSizeError(
      `invalid dimensions: the box ${JSON.stringify([west, south, east, north])} has no area to draw; ` +
        `it needs ${SMALLEST_BOX_DEG}° each way, and south below north`,
    )
  }
  const points = Array.from({ length: BOX_STEPS + 1 }, (_, step) => step / BOX_STEPS).flatMap((along) => [
    [west + width * along, south],
    [west + width * along, north],
    [west, south + height * along],
    [west + width, south + height * along],
  ])
  const centre = middleOfBounds([west, south, west + width, north])
  const name =
    width > 300 && height > 120
      ? 'The World'
      : `${degrees(south, 'S', 'N')} – ${degrees(north, 'S', 'N')}, ${degrees(west, 'W', 'E')} – ${degrees(east, 'W', 'E')}`
  return { name, focus: null, areaShare: 1, points, centre }
}

function degrees(angle: number, negative: string, positive: string): string {
  const rounded = Math.round(Math.abs(angle) * 100) / 100
  return rounded === 0 || rounded === 180 ? `${rounded}°` : `${rounded}°${angle < 0 ? negative : positive}`
}

function middleOf(points: readonly Position[]): [longitude: number, latitude: number] {
  const [[west, south], [east, north]] = geoBounds({ type: 'MultiPoint', coordinates: [...points] })
  return middleOfBounds([west, south, east >= west ? east : east + 360, north])
}

function middleOfBounds([west, south, east, north]: BoundingBox): [longitude: number, latitude: number] {
  // What every meridian crosses lies around a pole.
  if (east - west > 300 && Math.abs(south + north) > 90) return [0, Math.sign(south + north) * 90]
  return [wrapLongitude((west + east) / 2), (south + north) / 2]
}

/** Of the points in each degree of bearing, the one farthest from the centre. */
function extentOf({ centre, points }: Ground): Pick<RegionOutlines, 'extent' | 'span'> {
  const farthest = new Map<number, { point: Position; distance: number; x: number; y: number }>()
  for (const point of points) {
    const { bearing, distance } = headingTo(centre, point)
    const sector = Math.round(bearing / radians)
    if (distance <= (farthest.get(sector)?.distance ?? 0)) continue
    farthest.set(sector, { point, distance, x: distance * Math.sin(bearing), y: distance * Math.cos(bearing) })
  }
  const outline = [...farthest.values()]
  if (outline.some(({ distance }) => distance > WIDEST_RADIUS)) return beltOf(points)
  const reach = Math.max(SMALLEST_RADIUS / 2, ...outline.map(({ distance }) => distance))
  const span = { width: widthOf(outline.map(({ x }) => x)), height: widthOf(outline.map(({ y }) => y)) }
  const extent = outline.map(({ point }): [number, number] => [thousandths(point[0]), thousandths(point[1])])
  return reach < SMALLEST_RADIUS ? surroundings(centre) : { extent, span }
}

/** Of what goes around most of the globe every point counts, since there is no farthest one in a direction. */
function beltOf(points: readonly Position[]): Pick<RegionOutlines, 'extent' | 'span'> {
  const width = widthOf(points.map(([longitude = 0]) => longitude)) * radians
  const height = widthOf(points.map(([, latitude = 0]) => latitude)) * radians
  return { extent: points.map(([x, y]): [number, number] => [thousandths(x), thousandths(y)]), span: { width, height } }
}

function surroundings([longitude, latitude]: readonly [number, number]): Pick<RegionOutlines, 'extent' | 'span'> {
  const up = SMALLEST_RADIUS / radians
  const across = up / Math.cos(latitude * radians)
  const extent: [number, number][] = [
    [thousandths(longitude - across), thousandths(latitude)],
    [thousandths(longitude + across), thousandths(latitude)],
    [thousandths(longitude), thousandths(latitude - up)],
    [thousandths(longitude), thousandths(latitude + up)],
  ]
  return { extent, span: { width: 2 * SMALLEST_RADIUS, height: 2 * SMALLEST_RADIUS } }
}

function widthOf(numbers: readonly number[]): number {
  return Math.max(...numbers) - Math.min(...numbers)
}

function thousandths(angle = 0): number {
  return Math.round(angle * 1000) / 1000
}

/** Roughly how many page pixels a radian can take. */
function fittingScale(page: Page, span: RegionOutlines['span']): number {
  const { map } = layoutOf(page)
  return Math.min(map.width / span.width, map.height / span.height) * 0.9
}

function detailFor(pixelsPerRadian: number): Detail {
  const scale = (EARTH_RADIUS_KM * 1e6) / millimetres(pixelsPerRadian)
  if (scale < 15e6) return '10m'
  return scale < 250e6 ? '50m' : '110m'
}

function countriesWithin(
  atlas: Atlas,
  centre: readonly [number, number],
  radius: number,
): { atlasName: string; name: string }[] {
  const isNear = atlas.topology.arcs.map((arc) => arc.some((point) => angleBetween([...centre], point) <= radius))
  // A land around all that is seen has none of its outline near. Such a land is large enough for the coarsest atlas.
  const coarse = openAtlas('110m')
  const around = coarse.countries.filter((country) => geoContains(shapeOf(coarse, country), [...centre]))
  const surrounding = new Set(around.map(({ properties }) => properties.name))
  const isSeen = (country: AtlasCountry): boolean =>
    arcsOf(country).some((arc) => isNear[arc]) || surrounding.has(country.properties.name)
  return atlas.countries
    .filter(isSeen)
    .map(({ id, properties }) => ({ atlasName: properties.name, name: printedName(String(id), properties.name) }))
}
