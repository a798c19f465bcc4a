/** How the round earth is laid on the page. */
import { geoAzimuthalEqualArea, geoConicEqualArea, geoEqualEarth, geoMercator, geoTransverseMercator } from 'd3-geo'

import { millimetres } from './paper.ts'
import { EARTH_RADIUS_KM, radians, wrapLongitude } from './sphere.ts'

import type { GeoProjection } from 'd3-geo'

import type { RegionOutlines } from './load-region.ts'
import type { Rectangle } from './map-plan.ts'
import type { MapRequest, ProjectionName } from './map-request.ts'

/** A projection that fills the map with the region. */
export interface FittedProjection {
  readonly name: ProjectionName
  readonly project: GeoProjection
  /** Page pixels for a radian on the globe, true at the centre of the map. */
  readonly pixelsPerRadian: number
  /** The number in `1 : 4 500 000`, of two figures. */
  readonly scale: number
}

interface Fit {
  readonly outlines: RegionOutlines
  readonly request: MapRequest
  readonly map: Rectangle
  /** Left free around a country. */
  readonly padding: number
  /** How far beyond the map lines go on before they are cut, so that no cut is seen. */
  readonly bleed: number
}

/** What either Mercator can show at most, in degrees from its own equator: the poles of it are infinitely far away. */
const MERCATOR_LIMIT_DEG = 80

/**
 * Chooses, centres and scales the projection. The scale is made rounder, never larger than what fits. Turning the globe to the region's own
 * meridian is what keeps lands whole that the antimeridian would cut: Fiji, New Zealand, Russia.
 */
export function fitProjection({ outlines, request, map, padding, bleed }: Fit): FittedProjection {
  const name = request.projection === 'auto' ? suitable(outlines) : request.projection
  const project = centred(name, outlines)
  const coordinates = outlines.extent.flatMap((point) => within(name, point, outlines.centre[0]))
  const free = outlines.focus === null ? 0 : padding
  const [right, bottom] = [map.x + map.width, map.y + map.height]
  project.fitExtent(
    [
      [map.x + free, map.y + free],
      [right - free, bottom - free],
    ],
    { type: 'MultiPoint', coordinates },
  )
  const stretch = name === 'mercator' ? 1 / Math.cos(latitudeInMiddle(project, map) * radians) : 1
  const exact = scaleOf(project.scale() * stretch)
  const scale = roundedUp(exact)
  zoomAbout(project, [map.x + map.width / 2, map.y + map.height / 2], exact / scale)
  project.precision(0.3).clipExtent([
    [map.x - bleed, map.y - bleed],
    [right + bleed, bottom + bleed],
  ])
  return { name, project, scale, pixelsPerRadian: project.scale() * stretch }
}

/** Such as `1 : 4 500 000`. */
export function scaleText(scale: number): string {
  return `1 : ${scale.toFixed(0).replaceAll(/\B(?=(\d{3})+$)/g, ' ')}`
}

/**
 * Areas are always true. A wide land in middle latitudes gets the cone that its atlases use, most of the world the Equal Earth, and
 * everything else (tall, near the equator, around a pole) the azimuthal one.
 */
function suitable({ centre: [, latitude], span, extent }: RegionOutlines): ProjectionName {
  if (span.width > 3.6 || (span.width > 2.6 && Math.abs(latitude) < 30)) return 'equal-earth'
  // A cone has no pole but a hole, so the land must end well before it.
  const isMiddle = Math.abs(latitude) > 15 && extent.every(([, y]) => Math.abs(y) < 75)
  return isMiddle && span.width > span.height * 0.8 ? 'conic-equal-area' : 'azimuthal-equal-area'
}

function centred(name: ProjectionName, { centre: [longitude, latitude], extent }: RegionOutlines): GeoProjection {
  switch (name) {
    case 'mercator':
      return geoMercator().rotate([-longitude, 0])
    case 'transverse-mercator':
      return geoTransverseMercator().rotate([-longitude, 0])
    case 'equal-earth':
      return geoEqualEarth().rotate([-longitude, 0])
    case 'azimuthal-equal-area':
      return geoAzimuthalEqualArea().rotate([-longitude, -latitude])
    case 'conic-equal-area':
      return geoConicEqualArea()
        .rotate([-longitude, 0])
        .center([0, latitude])
        .parallels(standardParallels(extent.map(([, y]) => y)))
  }
}

/** A point that the map must show, or what comes nearest to it in this projection, or none. */
function within(name: ProjectionName, [x, y]: readonly [number, number], meridian: number): [number, number][] {
  if (name === 'mercator') return [[x, Math.min(MERCATOR_LIMIT_DEG, Math.max(-MERCATOR_LIMIT_DEG, y))]]
  if (name !== 'transverse-mercator') return [[x, y]]
  const turn = wrapLongitude(x - meridian)
  const aside = Math.abs(Math.sin(turn * radians) * Math.cos(y * radians))
  return Math.abs(turn) < 90 && aside < Math.sin(MERCATOR_LIMIT_DEG * radians) ? [[x, y]] : []
}

/** The two parallels that are true to scale: a sixth of the way in from either end. */
function standardParallels(latitudes: readonly number[]): [south: number, north: number] {
  const [south, north] = [Math.min(...latitudes), Math.max(...latitudes)]
  const inwards = (north - south) / 6
  return [south + inwards, north - inwards]
}

function latitudeInMiddle(project: GeoProjection, map: Rectangle): number {
  return project.invert?.([map.x + map.width / 2, map.y + map.height / 2])?.[1] ?? 0
}

function scaleOf(pixelsPerRadian: number): number {
  return (EARTH_RADIUS_KM * 1e6) / millimetres(pixelsPerRadian)
}

/** Two figures, rounded up, so that what fitted still does. */
function roundedUp(scale: number): number {
  const unit = 10 ** (Math.floor(Math.log10(scale)) - 1)
  return Math.ceil(scale / unit - 1e-9) * unit
}

function zoomAbout(project: GeoProjection, [x, y]: [number, number], factor: number): void {
  const [left, top] = project.translate()
  project.scale(project.scale() * factor).translate([x + (left - x) * factor, y + (top - y) * factor])
}
