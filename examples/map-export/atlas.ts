/** The outlines of the world's countries: Natural Earth, as the package world-atlas has them. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

import { geoArea } from 'd3-geo'
import { feature } from 'topojson-client'

import type { Feature, MultiPolygon, Polygon, Position } from 'geojson'
import type {
  GeometryCollection,
  MultiPolygon as TopoMultiPolygon,
  Polygon as TopoPolygon,
  Topology,
} from 'topojson-specification'

/** How finely the atlas is drawn: made for maps of 1 : 110 million, 50 million or 10 million. */
export type Detail = '110m' | '50m' | '10m'

/** One country of the atlas. Its name, which is often shortened, identifies it: some have no ISO code, and one code is used twice. */
export type AtlasCountry = (TopoPolygon<{ name: string }> | TopoMultiPolygon<{ name: string }>) & {
  properties: { name: string }
}

/** The outline of one country as GeoJSON. */
export type CountryShape = Feature<Polygon | MultiPolygon, { name: string }>

/** An atlas in degrees; its countries share the arcs between them. */
export type AtlasTopology = Topology<{ countries: GeometryCollection<{ name: string }> }>

export interface Atlas {
  readonly topology: AtlasTopology
  readonly countries: readonly AtlasCountry[]
}

/** The side of the grid that the atlas was rounded to, in degrees: nothing finer than this is real. */
export const ATLAS_GRID_DEG = 0.0036

const resolve = createRequire(import.meta.url).resolve
const opened = new Map<Detail, Atlas>()

/** The atlas, read once in a process: 20 ms for the finest. */
export function openAtlas(detail: Detail): Atlas {
  const known = opened.get(detail)
  if (known !== undefined) return known
  const file = readFileSync(resolve(`world-atlas/countries-${detail}.json`), 'utf8')
  const atlas = atlasOf(unpacked(JSON.parse(file) as AtlasTopology))
  opened.set(detail, atlas)
  return atlas
}

/** The countries of a topology. */
export function atlasOf(topology: AtlasTopology): Atlas {
  const countries = topology.objects.countries.geometries.filter(
    (geometry): geometry is AtlasCountry => geometry.type === 'Polygon' || geometry.type === 'MultiPolygon',
  )
  return { topology, countries }
}

/** The country with this ISO 3166-1 numeric code, or else with this name. */
export function findCountry(atlas: Atlas, numericCode: string, name: string): AtlasCountry | undefined {
  return (
    atlas.countries.find(({ id }) => id === numericCode) ??
    atlas.countries.find(({ properties }) => properties.name === name)
  )
}

/** The outline of one country. */
export function shapeOf({ topology }: Atlas, country: AtlasCountry): CountryShape {
  return feature(topology, country) as CountryShape
}

/**
 * The polygons of an outline, each a list of rings with the outer one first. On a sphere the direction of a ring says what is inside: an
 * atoll that was drawn the wrong way round, or turned over by thinning, would be all the world but itself. It is turned back.
 */
export function polygonsOf({ geometry }: CountryShape): Position[][][] {
  const polygons = geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates
  return polygons.map((coordinates) =>
    geoArea({ type: 'Polygon', coordinates }) > 2 * Math.PI
      ? coordinates.map((ring) => ring.toReversed())
      : coordinates,
  )
}

/** The numbers of the arcs that a country is made of, backward ones as forward ones. */
export function arcsOf({ arcs }: AtlasCountry): number[] {
  return arcs.flat(2).map((arc) => (arc < 0 ? ~arc : arc))
}

/** The same topology in plain degrees: the file holds differences of whole numbers. */
function unpacked({ transform, ...topology }: AtlasTopology): AtlasTopology {
  if (transform === undefined) return topology
  const [scaleX, scaleY] = transform.scale
  const [left, bottom] = transform.translate
  const arcs = topology.arcs.map((arc) => {
    let x = 0
    let y = 0
    return arc.map(([stepX = 0, stepY = 0]) => {
      x += stepX
      y += stepY
      return [x * scaleX + left, y * scaleY + bottom]
    })
  })
  return { ...topology, arcs }
}
