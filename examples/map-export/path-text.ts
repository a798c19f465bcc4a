/** From geometry to the `d` of an SVG path, by way of points that can be looked at. */
import { geoPath } from 'd3-geo'

import type { GeoPermissibleObjects, GeoProjection } from 'd3-geo'

/** A point on the page. */
export type PagePoint = readonly [x: number, y: number]

/** A line on the page; closed if it came from a polygon, without repeating its first point. */
export interface Stroke {
  readonly points: readonly PagePoint[]
  readonly closed: boolean
}

/** The lines that a geometry becomes on the page, clipped as the projection says. */
export function strokesOf(projection: GeoProjection, geometry: GeoPermissibleObjects): Stroke[] {
  const strokes: { points: PagePoint[]; closed: boolean }[] = []
  const last = (): { points: PagePoint[]; closed: boolean } | undefined => strokes.at(-1)
  const path = geoPath(projection, {
    beginPath: () => undefined,
    moveTo: (x, y) => void strokes.push({ points: [[x, y]], closed: false }),
    lineTo: (x, y) => void last()?.points.push([x, y]),
    arc: () => undefined,
    closePath: () => {
      const stroke = last()
      if (stroke !== undefined) stroke.closed = true
    },
  })
  path(geometry)
  return strokes
}

/** The path of some lines: absolute at the start of each, then relative, every number rounded to 0.1 without adding up the error. */
export function pathText(strokes: readonly Stroke[]): string {
  return strokes.map(strokeText).join('')
}

/** A circle as a line of sixteen sides. */
export function circle([x, y]: PagePoint, radius: number): Stroke {
  const points = Array.from({ length: 16 }, (_, step): PagePoint => {
    const turn = (step / 16) * 2 * Math.PI
    return [x + radius * Math.cos(turn), y + radius * Math.sin(turn)]
  })
  return { points, closed: true }
}

/** The area that a closed line encloses. */
export function areaWithin(points: readonly PagePoint[]): number {
  let doubled = 0
  let [lastX, lastY] = points.at(-1) ?? [0, 0]
  for (const [x, y] of points) {
    doubled += lastX * y - x * lastY
    lastX = x
    lastY = y
  }
  return Math.abs(doubled) / 2
}

function strokeText({ points, closed }: Stroke): string {
  const [first, ...rest] = points.map(([x, y]): PagePoint => [Math.round(x * 10), Math.round(y * 10)])
  if (first === undefined) return ''
  let [lastX, lastY] = first
  let steps = ''
  for (const [x, y] of rest) {
    if (x === lastX && y === lastY) continue
    steps += joined(x - lastX, y - lastY, steps !== '')
    lastX = x
    lastY = y
  }
  if (steps === '') return ''
  return `M${joined(first[0], first[1], false)}l${steps}${closed ? 'z' : ''}`
}

function joined(tenthsX: number, tenthsY: number, follows: boolean): string {
  const y = shortest(tenthsY)
  const x = shortest(tenthsX)
  return `${follows && !x.startsWith('-') ? ' ' : ''}${x}${y.startsWith('-') ? '' : ' '}${y}`
}

/** Tenths as a decimal number without the zeros that SVG doesn't need. */
function shortest(tenths: number): string {
  return `${tenths / 10}`.replace(/^(-?)0\./, '$1.')
}
