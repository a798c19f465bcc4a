/** The small globe that shows where in the world the map lies. */
import { geoGraticule, geoOrthographic } from 'd3-geo'

import { openAtlas, shapeOf } from './atlas.ts'
import { viewOutline } from './graticule.ts'
import { areaWithin, circle, pathText, strokesOf } from './path-text.ts'

import type { RegionOutlines } from './load-region.ts'
import type { Locator, Rectangle } from './map-plan.ts'
import type { FittedProjection } from './projection.ts'

/** Of more than this, in radians, a globe shows only half. */
const WIDEST_SPAN = 2.4
const SMALLEST_LAND = 0.8
/** A rectangle of fewer pixels would not be seen. */
const SMALLEST_VIEW = 3

/** A globe of this radius turned to the region, or null if the map shows most of the world anyway. */
export function locatorOf(
  { project }: FittedProjection,
  { centre: [longitude, latitude], span }: RegionOutlines,
  map: Rectangle,
  radius: number,
): Locator | null {
  if (Math.max(span.width, span.height) > WIDEST_SPAN) return null
  // Seen a little from the equator a globe looks like one, even from above a pole.
  const globe = geoOrthographic()
    .rotate([-longitude, -latitude * 0.75])
    .scale(radius)
    .translate([0, 0])
    .precision(0.2)
  const atlas = openAtlas('110m')
  const land = atlas.countries.flatMap((country) => strokesOf(globe, shapeOf(atlas, country)))
  const outline = viewOutline(project, map)
  const view = strokesOf(globe, { type: 'LineString', coordinates: [...outline, ...outline.slice(0, 1)] })
  const [x, y] = globe([longitude, latitude]) ?? [0, 0]
  return {
    radius,
    land: pathText(land.filter(({ points }) => areaWithin(points) > SMALLEST_LAND)),
    graticule: pathText(strokesOf(globe, geoGraticule().step([30, 30])())),
    view:
      radius * Math.max(span.width, span.height) < SMALLEST_VIEW
        ? pathText([circle([x, y], radius / 12)])
        : pathText(view),
  }
}
