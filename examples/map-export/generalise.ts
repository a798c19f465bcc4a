/** Fewer points for smaller maps, and rounder lines for larger ones, without tearing neighbours apart: countries share their arcs. */
import { ATLAS_GRID_DEG } from './atlas.ts'
import { radians } from './sphere.ts'

import type { Position } from 'geojson'

import type { AtlasTopology } from './atlas.ts'

interface Generalise {
  /** The arcs that are needed; the others stay as they are. */
  readonly arcs: ReadonlySet<number>
  /** How far a line may move, in degrees of a great circle. */
  readonly toleranceDeg: number
}

/** A ring of fewer points has no inside. */
const LEAST_RING_POINTS = 5

/** The same topology with arcs that say no more than the tolerance lets one see. */
export function generalised(topology: AtlasTopology, { arcs, toleranceDeg }: Generalise): AtlasTopology {
  // Where the grid of the atlas shows as steps, corners are cut twice; what the grid itself made of a line goes first.
  const isGridVisible = toleranceDeg < ATLAS_GRID_DEG / 3
  const simplify = (arc: Position[]): Position[] => {
    if (!isGridVisible) return simplified(arc, toleranceDeg)
    return cornersCut(cornersCut(simplified(arc, ATLAS_GRID_DEG * 0.6)))
  }
  return { ...topology, arcs: topology.arcs.map((arc, index) => (arcs.has(index) ? simplify(arc) : arc)) }
}

/** Douglas and Peucker's line simplification, on a plane that is true to scale at the line's own latitude. */
function simplified(arc: Position[], toleranceDeg: number): Position[] {
  const shrink = Math.cos((arc[0]?.[1] ?? 0) * radians)
  const flat = arc.map(([x = 0, y = 0]): [number, number] => [x * shrink, y])
  const kept = new Uint8Array(arc.length)
  kept[0] = 1
  kept[arc.length - 1] = 1
  const open: [first: number, last: number][] = [[0, arc.length - 1]]
  for (let range = open.pop(); range !== undefined; range = open.pop()) {
    const [first, last] = range
    const { index, distance } = farthestFromChord(flat, first, last)
    if (distance <= toleranceDeg) continue
    kept[index] = 1
    open.push([first, index], [index, last])
  }
  const line = arc.filter((_, index) => kept[index] === 1)
  return isClosed(arc) && line.length < LEAST_RING_POINTS ? evenly(arc) : line
}

function farthestFromChord(
  points: readonly (readonly [number, number])[],
  first: number,
  last: number,
): { index: number; distance: number } {
  const [startX, startY] = points[first] ?? [0, 0]
  const [endX, endY] = points[last] ?? [0, 0]
  const [chordX, chordY] = [endX - startX, endY - startY]
  const chordSquared = chordX ** 2 + chordY ** 2
  let index = first
  let most = 0
  for (let at = first + 1; at < last; at += 1) {
    const [x = 0, y = 0] = points[at] ?? []
    const along = chordSquared === 0 ? 0 : ((x - startX) * chordX + (y - startY) * chordY) / chordSquared
    const within = Math.min(1, Math.max(0, along))
    const squared = (x - startX - within * chordX) ** 2 + (y - startY - within * chordY) ** 2
    if (squared <= most) continue
    most = squared
    index = at
  }
  return { index, distance: Math.sqrt(most) }
}

function isClosed(arc: readonly Position[]): boolean {
  const first = arc[0]
  const last = arc.at(-1)
  return first?.[0] === last?.[0] && first?.[1] === last?.[1]
}

function evenly(ring: Position[]): Position[] {
  if (ring.length <= LEAST_RING_POINTS) return ring
  const step = (ring.length - 1) / (LEAST_RING_POINTS - 1)
  return Array.from({ length: LEAST_RING_POINTS }, (_, index) => ring[Math.round(index * step)] ?? [])
}

/** Chaikin's curve: each corner gives way to two points a quarter of the way along its sides. The ends stay. */
function cornersCut(arc: Position[]): Position[] {
  const closed = isClosed(arc)
  const cut = arc.slice(1).flatMap((point, index) => {
    const before = arc[index] ?? point
    if (isAcrossAntimeridian(before, point)) return [before, point]
    return [between(before, point, 0.25), between(before, point, 0.75)]
  })
  const first = closed ? cut[0] : arc[0]
  const last = closed ? first : arc.at(-1)
  return first === undefined || last === undefined ? arc : [...(closed ? [] : [first]), ...cut, last]
}

function between([xA = 0, yA = 0]: Position, [xB = 0, yB = 0]: Position, share: number): Position {
  return [xA + (xB - xA) * share, yA + (yB - yA) * share]
}

function isAcrossAntimeridian([xA = 0]: Position, [xB = 0]: Position): boolean {
  return Math.abs(xA - xB) > 180
}
