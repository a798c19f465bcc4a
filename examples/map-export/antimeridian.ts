/** The atlas cuts some lands in two at 180 degrees. On a page turned to their own meridian the cut would be drawn through Taveuni and Chukotka. */
import type { Position } from 'geojson'

/** The outer ring first. */
type PolygonRings = Position[][]

/** A ring without its edge along the antimeridian: it begins and ends there. */
interface OpenRing {
  readonly points: readonly Position[]
  readonly holes: readonly Position[][]
}

/** How near to the antimeridian, and to one another, points of a cut are, in degrees. */
const NEAR_DEG = 0.02

/** The same polygons, those that were cut in two joined again. */
export function joinedAcrossAntimeridian(polygons: readonly PolygonRings[]): PolygonRings[] {
  const whole: PolygonRings[] = []
  let open: OpenRing[] = []
  for (const polygon of polygons) {
    const ring = opened(polygon)
    const match = ring && open.find((other) => isOtherSide(ring, other))
    if (ring === undefined) whole.push(polygon)
    else if (match === undefined) open.push(ring)
    else {
      open = open.filter((other) => other !== match)
      whole.push(closed([...ring.points, ...match.points], [...ring.holes, ...match.holes]))
    }
  }
  return [...whole, ...open.map(({ points, holes }) => closed(points, holes))]
}

function opened([outer = [], ...holes]: PolygonRings): OpenRing | undefined {
  if (!outer.some(isOnCut)) return undefined
  const inland = outer.findIndex((point) => !isOnCut(point))
  const ring = [...outer.slice(inland), ...outer.slice(1, inland + 1)].slice(0, -1)
  const edges = ring.flatMap((point, index) => {
    const before = ring.at(index - 1)
    return isOnCut(before) && isOnCut(point) && !isSame(before, point) ? [index] : []
  })
  const first = edges[0]
  // One edge, perhaps of several steps. A land with two such edges has two cuts, and no atlas so far.
  if (inland === -1 || first === undefined || edges.some((edge, step) => edge !== first + step)) return undefined
  const end = first + edges.length - 1
  return { points: [...ring.slice(end), ...ring.slice(0, first)], holes }
}

function isOnCut(point: Position | undefined): boolean {
  return point !== undefined && Math.abs(point[0] ?? 0) > 180 - NEAR_DEG / 4
}

function isSame(a: Position | undefined, b: Position | undefined): boolean {
  return a?.[1] === b?.[1]
}

function isOtherSide(a: OpenRing, b: OpenRing): boolean {
  return isNear(a.points.at(0), b.points.at(-1)) && isNear(a.points.at(-1), b.points.at(0))
}

function isNear(a: Position | undefined, b: Position | undefined): boolean {
  return Math.abs((a?.[1] ?? 0) - (b?.[1] ?? 90)) < NEAR_DEG
}

function closed(points: readonly Position[], holes: readonly Position[][]): PolygonRings {
  return [[...points, ...points.slice(0, 1)], ...holes]
}
