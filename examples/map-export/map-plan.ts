/**
 * The second phase's result: everything that is on the sheet, as plain JSON of at most 256 KB. Lengths are pixels of 1/96 inch, so that a
 * plan reads like the SVG it becomes, whatever the resolution of the picture. Paths are the `d` of an SVG path, rounded to 0.1 pixel.
 */
import type { ProjectionName } from './map-request.ts'

export interface MapPlan {
  /** The sheet, and the picture it becomes. */
  page: { width: number; height: number; widthPx: number; heightPx: number }
  /** By how much lettering and line widths differ from those of an A4 sheet. */
  unit: number
  /** The rectangle that the map fills, within the neat line. */
  map: Rectangle
  /** The name of the country, or the corners of the box. */
  region: string
  title: string
  projection: ProjectionName
  /** Such as `1 : 4 500 000`, exact at the centre. */
  scale: string
  scaleBar: ScaleBar
  /** The outline of the earth where it can be seen, else a path around the map. */
  sphere: string
  graticule: string
  /** All countries that are drawn, in the order of the atlas. */
  countries: CountryPlan[]
  /** The borders between countries, without coasts. */
  borders: string
  labels: Label[]
  /** Where meridians meet the top and the bottom of the map, and parallels its sides, in order. */
  ticks: { top: Tick[]; bottom: Tick[]; left: Tick[]; right: Tick[] }
  /** A small globe that shows where the map lies; null for a map of most of the world. */
  locator: Locator | null
}

export interface Rectangle {
  x: number
  y: number
  width: number
  height: number
}

export interface CountryPlan {
  name: string
  /** The country that was asked for, one around it, or one of many in a box. */
  role: 'focus' | 'neighbour' | 'equal'
  /** 0 to 4; countries that share a border differ. */
  tint: number
  path: string
}

export interface ScaleBar {
  /** Of one of the equal segments. */
  segmentWidth: number
  segmentKm: number
  segments: number
}

export interface Label {
  kind: 'focus' | 'country' | 'island' | 'sea'
  lines: string[]
  /** The middle of the text. */
  x: number
  y: number
  size: number
  /** Between letters, in the same unit as the size. */
  spacing: number
  /** Degrees clockwise. */
  angle: number
}

export interface Tick {
  /** Along the edge: x at the top and bottom, y at the sides. */
  at: number
  text: string
  /** Whether the stretch of the neat line up to the next tick is dark. */
  dark: boolean
}

export interface Locator {
  /** The radius of the globe, whose middle is the origin of the paths. */
  radius: number
  land: string
  graticule: string
  /** What the map shows. */
  view: string
}
