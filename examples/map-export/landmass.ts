/** Which part of a country a map is made of: far islands and overseas territories would shrink it to a speck. */
import { geoArea } from 'd3-geo'

import { angleBetween, EARTH_RADIUS_KM, radians } from './sphere.ts'

import type { Position } from 'geojson'

type PolygonRings = readonly Position[][]

export interface MainLandmass {
  /** All points of its outline. */
  readonly points: readonly Position[]
  /** Its share of the area of the country, more than 0 to 1. */
  readonly areaShare: number
}

interface Part {
  readonly points: readonly Position[]
  readonly areaKm2: number
  /** Some of the points, about 50 km apart. */
  readonly shore: readonly Position[]
  /** How far from the rest it may lie and still belong to it, in km. */
  readonly reachKm: number
}

/** A part this large belongs to the map wherever it lies: Borneo and the peninsula are both Malaysia. */
const ESSENTIAL_SHARE = 0.25

const SHORE_STEP_KM = 50

/**
 * The largest part of a country with everything near it. The larger a part, the farther away it may lie, from 200 to 500 km: Kaliningrad
 * belongs to the map of Russia, while Alaska, Svalbard, the Canaries and French Guiana are left to maps of their own.
 */
export function mainLandmass(polygons: readonly PolygonRings[]): MainLandmass {
  const parts = polygons.map(partOf).toSorted((a, b) => b.areaKm2 - a.areaKm2)
  const areaKm2 = parts.reduce((sum, part) => sum + part.areaKm2, 0)
  const near = parts.filter((part, index) => index === 0 || part.areaKm2 >= ESSENTIAL_SHARE * areaKm2)
  let far = parts.filter((part) => !near.includes(part))
  // The list grows while it is walked: what is near to a part that was near counts too.
  for (const anchor of near) {
    near.push(...far.filter((part) => isWithinReach(part, anchor)))
    far = far.filter((part) => !near.includes(part))
  }
  const nearKm2 = near.reduce((sum, part) => sum + part.areaKm2, 0)
  return { points: near.flatMap(({ points }) => points), areaShare: nearKm2 / areaKm2 }
}

function partOf(rings: PolygonRings): Part {
  // All rings: around a pole it is arbitrary which one is the outer.
  const points = rings.flat()
  const areaKm2 = geoArea({ type: 'Polygon', coordinates: [...rings] }) * EARTH_RADIUS_KM ** 2
  return { points, areaKm2, shore: thinned(points), reachKm: Math.min(500, 200 + 1.5 * Math.sqrt(areaKm2)) }
}

function thinned(points: readonly Position[]): Position[] {
  const kept: Position[] = []
  let last: Position | undefined
  for (const point of points) {
    if (last !== undefined && angleBetween(last, point) * EARTH_RADIUS_KM < SHORE_STEP_KM) continue
    kept.push(point)
    last = point
  }
  return kept
}

function isWithinReach(part: Part, anchor: Part): boolean {
  // Between two kept points of either shore there may be a nearer one.
  const reach = (part.reachKm + SHORE_STEP_KM) / EARTH_RADIUS_KM
  return part.shore.some((point) => anchor.shore.some((other) => isNearer(point, other, reach)))
}

function isNearer(a: Position, b: Position, angle: number): boolean {
  return Math.abs((a[1] ?? 0) - (b[1] ?? 0)) * radians <= angle && angleBetween(a, b) <= angle
}
