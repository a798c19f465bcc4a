/** Arithmetic on the globe. Points are longitude and latitude in degrees, angles are radians. */
import type { Position } from 'geojson'

/** The mean radius. */
export const EARTH_RADIUS_KM = 6371.0088

/** Radians in a degree. */
export const radians: number = Math.PI / 180

/** A point as seen from another: which way it lies and how far. */
export interface Heading {
  /** Clockwise from north, -π to π. */
  readonly bearing: number
  /** 0 to π. */
  readonly distance: number
}

/** The angle between two points as seen from the middle of the earth, by the haversine formula, 0 to π. */
export function angleBetween([lonA = 0, latA = 0]: Position, [lonB = 0, latB = 0]: Position): number {
  const sinLat = Math.sin(((latB - latA) * radians) / 2)
  const sinLon = Math.sin(((lonB - lonA) * radians) / 2)
  const chord = sinLat ** 2 + Math.cos(latA * radians) * Math.cos(latB * radians) * sinLon ** 2
  return 2 * Math.asin(Math.min(1, Math.sqrt(chord)))
}

/** The great-circle heading from one point to another. */
export function headingTo(from: Position, to: Position): Heading {
  const [lonA = 0, latA = 0] = from
  const [lonB = 0, latB = 0] = to
  const turn = (lonB - lonA) * radians
  const y = Math.sin(turn) * Math.cos(latB * radians)
  const x =
    Math.cos(latA * radians) * Math.sin(latB * radians) -
    Math.sin(latA * radians) * Math.cos(latB * radians) * Math.cos(turn)
  return { bearing: Math.atan2(y, x), distance: angleBetween(from, to) }
}

/** A longitude turned by whole circles into -180 to 180. */
export function wrapLongitude(longitude: number): number {
  const turned = (((longitude + 180) % 360) + 360) % 360
  return turned - 180
}
