/** Meridians and parallels, and where they meet the frame. */
import { strokesOf } from './path-text.ts'
import { wrapLongitude } from './sphere.ts'

import type { GeoProjection } from 'd3-geo'
import type { MultiLineString, Position } from 'geojson'

import type { FittedProjection } from './projection.ts'
import type { MapPlan, Rectangle, Tick } from './map-plan.ts'
import type { PagePoint, Stroke } from './path-text.ts'

/** The lines that are drawn, and the ticks on the neat line. */
export interface Graticule {
  readonly strokes: Stroke[]
  readonly ticks: MapPlan['ticks']
}

/** One line: all points share its longitude or its latitude. */
interface GridLine {
  readonly degrees: number
  /** How many steps from 0°: neighbours differ by one. */
  readonly order: number
  readonly points: Position[]
}

/** The part of the earth that the map shows, in degrees. East may be beyond 180. */
interface View {
  readonly west: number
  readonly east: number
  readonly south: number
  readonly north: number
}

/** Whole minutes or degrees that divide what comes above them. */
const STEPS = [1 / 60, 1 / 30, 1 / 12, 1 / 6, 1 / 4, 1 / 2, 1, 2, 5, 10, 15, 30]
const SAMPLES = 240
const EDGE_SAMPLES = 40
const LINES_ACROSS = 5

export function graticuleOf({ project }: FittedProjection, map: Rectangle): Graticule {
  const view = viewOf(project, map)
  const longest = Math.min(map.width, map.height) / Math.max(map.width, map.height)
  const longitudes = stepFor((view.east - view.west) * (map.width < map.height ? 1 : longest))
  const latitudes = stepFor((view.north - view.south) * (map.height < map.width ? 1 : longest))
  const meridians = ordersWithin(view.west, view.east, longitudes).map((order) => meridian(order, longitudes, view))
  const parallels = ordersWithin(view.south, view.north, latitudes).map((order) => parallel(order, latitudes, view))
  const coordinates = [...meridians, ...parallels].map(({ points }) => points)
  const lines: MultiLineString = { type: 'MultiLineString', coordinates }
  return { strokes: strokesOf(project, lines), ticks: ticksOf({ project, map, meridians, parallels }) }
}

/** The outline of what the map shows, as points around the globe. */
export function viewOutline(project: GeoProjection, map: Rectangle): Position[] {
  return edgePoints(map).flatMap((point) => {
    const position = project.invert?.([...point])
    return position === undefined || position === null || position.some(Number.isNaN) ? [] : [position]
  })
}

function viewOf(project: GeoProjection, map: Rectangle): View {
  const outline = viewOutline(project, map)
  const middle = project.invert?.([map.x + map.width / 2, map.y + map.height / 2]) ?? [0, 0]
  const hasPole = [90, -90].map((pole) => isShown(project, map, [middle[0], pole]))
  const latitudes = outline.map(([, latitude = 0]) => latitude)
  const offsets = outline.map(([longitude = 0]) => wrapLongitude(longitude - middle[0]))
  const goesAround = hasPole.includes(true) || Math.max(...offsets) - Math.min(...offsets) > 300
  return {
    west: middle[0] + (goesAround ? -180 : Math.min(...offsets)),
    east: middle[0] + (goesAround ? 180 : Math.max(...offsets)),
    south: hasPole[1] ? -90 : Math.min(...latitudes, middle[1]),
    north: hasPole[0] ? 90 : Math.max(...latitudes, middle[1]),
  }
}

function edgePoints({ x, y, width, height }: Rectangle): PagePoint[] {
  const along = Array.from({ length: EDGE_SAMPLES }, (_, step) => step / EDGE_SAMPLES)
  return [
    ...along.map((share): PagePoint => [x + width * share, y]),
    ...along.map((share): PagePoint => [x + width, y + height * share]),
    ...along.map((share): PagePoint => [x + width * (1 - share), y + height]),
    ...along.map((share): PagePoint => [x, y + height * (1 - share)]),
  ]
}

function isShown(project: GeoProjection, map: Rectangle, position: [number, number]): boolean {
  const [x, y] = project(position) ?? [Number.NaN, Number.NaN]
  return x >= map.x && x <= map.x + map.width && y >= map.y && y <= map.y + map.height
}

function stepFor(span: number): number {
  return STEPS.findLast((step) => span / step >= LINES_ACROSS) ?? STEPS[0] ?? 1
}

function ordersWithin(from: number, to: number, step: number): number[] {
  const first = Math.ceil(from / step)
  const count = Math.floor(to / step) - first + 1
  // A circle's end is its beginning.
  const whole = to - from >= 360 ? Math.round(360 / step) : count
  return Array.from({ length: Math.min(count, whole) }, (_, index) => first + index)
}

function meridian(order: number, step: number, { south, north }: View): GridLine {
  const degrees = order * step
  // Around a pole meridians would only make a blot.
  const [from, to] = [Math.max(south - 1, -85), Math.min(north + 1, 85)]
  const points = Array.from({ length: SAMPLES + 1 }, (_, sample) => [degrees, from + ((to - from) * sample) / SAMPLES])
  return { degrees, order, points }
}

function parallel(order: number, step: number, { west, east }: View): GridLine {
  const degrees = order * step
  const [from, to] = east - west >= 359 ? [west, east] : [west - 1, east + 1]
  const points = Array.from({ length: SAMPLES + 1 }, (_, sample) => [from + ((to - from) * sample) / SAMPLES, degrees])
  return { degrees, order, points }
}

interface Lines {
  readonly project: GeoProjection
  readonly map: Rectangle
  readonly meridians: readonly GridLine[]
  readonly parallels: readonly GridLine[]
}

function ticksOf({ project, map, meridians, parallels }: Lines): MapPlan['ticks'] {
  const { x, y, width, height } = map
  const upright = meridians.map((line) => onPage(project, line))
  // With the axes exchanged a side is a top.
  const lying = parallels
    .map((line) => onPage(project, line))
    .map(({ degrees, order, points }) => ({
      degrees,
      order,
      points: points.map(([a, b]): PagePoint => [b, a]),
    }))
  return {
    top: ticksAlong(upright, { level: y, from: x, to: x + width }, longitudeText),
    bottom: ticksAlong(upright, { level: y + height, from: x, to: x + width }, longitudeText),
    left: ticksAlong(lying, { level: x, from: y, to: y + height }, latitudeText),
    right: ticksAlong(lying, { level: x + width, from: y, to: y + height }, latitudeText),
  }
}

interface PageLine {
  readonly degrees: number
  readonly order: number
  readonly points: readonly PagePoint[]
}

function onPage(project: GeoProjection, { degrees, order, points }: GridLine): PageLine {
  return { degrees, order, points: points.flatMap(([x = 0, y = 0]) => [project([x, y]) ?? []].filter(isPagePoint)) }
}

function isPagePoint(point: readonly number[]): point is [number, number] {
  return point.length === 2 && point.every(Number.isFinite)
}

interface Edge {
  readonly level: number
  readonly from: number
  readonly to: number
}

function ticksAlong(lines: readonly PageLine[], edge: Edge, text: (degrees: number) => string): Tick[] {
  const met = lines.flatMap(({ degrees, order, points }) =>
    meetings(points, edge).map((at) => ({ at, degrees, order })),
  )
  const sorted = met.toSorted((a, b) => a.at - b.at)
  return sorted.map(({ at, degrees, order }, index) => {
    const before = sorted[index - 1]?.order ?? order
    const after = sorted[index + 1]?.order ?? (before > order ? order - 1 : order + 1)
    return { at: Math.round(at * 10) / 10, text: text(degrees), dark: Math.min(order, after) % 2 === 0 }
  })
}

/** Where along an edge a line crosses it. A step over half the edge is a jump to the other side of the earth. */
function meetings(points: readonly PagePoint[], { level, from, to }: Edge): number[] {
  return points.slice(1).flatMap(([x, y], index) => {
    const [lastX, lastY] = points[index] ?? [x, y]
    if (lastY < level === y < level || Math.hypot(x - lastX, y - lastY) > (to - from) / 2) return []
    const at = lastX + ((level - lastY) / (y - lastY)) * (x - lastX)
    return at > from && at < to ? [at] : []
  })
}

function longitudeText(degrees: number): string {
  const longitude = wrapLongitude(degrees)
  return angleText(longitude, Math.abs(longitude) === 180 ? '' : sideOf(longitude, 'W', 'E'))
}

function latitudeText(degrees: number): string {
  return angleText(degrees, sideOf(degrees, 'S', 'N'))
}

function sideOf(degrees: number, negative: string, positive: string): string {
  if (Math.abs(degrees) < 1e-9) return ''
  return degrees < 0 ? negative : positive
}

function angleText(degrees: number, side: string): string {
  const minutes = Math.round(Math.abs(degrees) * 60)
  const whole = Math.floor(minutes / 60)
  return minutes % 60 === 0 ? `${whole}°${side}` : `${whole}°${String(minutes % 60).padStart(2, '0')}′${side}`
}
