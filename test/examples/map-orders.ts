import { loadRegion, type RegionOutlines } from '../../examples/map-export/load-region.ts'
import type { MapPlan } from '../../examples/map-export/map-plan.ts'
import { MapRequest, type MapOrder } from '../../examples/map-export/map-request.ts'
import { projectRegion } from '../../examples/map-export/project-region.ts'

/** What the phases before the drawing make of an order, each result written as JSON and read back, as between two phases of a job. */
export interface Worked {
  readonly request: MapRequest
  readonly outlines: RegionOutlines
  readonly plan: MapPlan
  /** Of the plan as JSON. */
  readonly planBytes: number
}

export function work(order: MapOrder): Worked {
  const request = MapRequest.parse(order)
  const outlines = JSON.parse(JSON.stringify(loadRegion(request))) as RegionOutlines
  const text = JSON.stringify(projectRegion(outlines, request))
  return { request, outlines, plan: JSON.parse(text) as MapPlan, planBytes: Buffer.byteLength(text) }
}

/** The points of a plan's path, line by line. */
export function linesOf(path: string): [x: number, y: number][][] {
  return path
    .split('M')
    .filter((line) => line !== '')
    .map((line) => {
      const numbers = [...line.matchAll(/-?\d*\.?\d+/g)].map(([text]) => Number(text))
      let [x, y] = [0, 0]
      return Array.from({ length: numbers.length / 2 }, (_, index) => {
        x += numbers[index * 2] ?? 0
        y += numbers[index * 2 + 1] ?? 0
        return [x, y]
      })
    })
}

/** The outermost coordinates of some points. */
export function sidesOf(points: readonly (readonly [x: number, y: number])[]): {
  left: number
  right: number
  top: number
  bottom: number
} {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)]
  return { left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) }
}
