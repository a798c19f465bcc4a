/** What the finished map says of itself, beside the file. */
import type { MapPlan } from './map-plan.ts'
import type { MapDescription } from './map-request.ts'

export function describeMap({ region, projection, scale, page, countries }: MapPlan): MapDescription {
  return {
    region,
    projection,
    scale,
    widthPx: page.widthPx,
    heightPx: page.heightPx,
    countries: countries.map(({ name }) => name).toSorted((a, b) => a.localeCompare(b, 'en')),
  }
}
