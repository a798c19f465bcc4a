/** The strip below the map: scale bar, title and globe. */
import { FRAME_WIDTH } from './layout.ts'
import { escapeXml, fontAttributes, textWidth } from './lettering.ts'
import { palette } from './palette.ts'

import type { LetterStyle } from './lettering.ts'
import type { MapPlan } from './map-plan.ts'
import type { ProjectionName } from './map-request.ts'

const TITLE_SIZE = 31
const TITLE_SPACING = 0.26
const SUBTITLE_SIZE = 11.5
const BAR_HEIGHT = 3.6
const SMALL_SIZE = 7.4

const projectionNames: Readonly<Record<ProjectionName, string>> = {
  mercator: 'Mercator projection',
  'transverse-mercator': 'Transverse Mercator projection',
  'equal-earth': 'Equal Earth projection',
  'conic-equal-area': 'Conic equal-area projection',
  'azimuthal-equal-area': 'Azimuthal equal-area projection',
}

export function drawStrip(plan: MapPlan): string[] {
  const { page, map, unit } = plan
  const top = map.y + map.height + FRAME_WIDTH * unit
  const middle = (top + page.height) / 2
  return [...drawTitle(plan, middle), ...drawScaleBar(plan, middle), ...drawLocator(plan, middle)]
}

function drawTitle({ page, unit, title, scale, projection, map, locator }: MapPlan, middle: number): string[] {
  const text = title.toLocaleUpperCase('en')
  const beside = ((locator?.radius ?? 0) * 2 + 20 * unit) * 2
  const size = Math.min(TITLE_SIZE * unit, (map.width - beside) / textWidth(text, 'upright', 1, TITLE_SPACING))
  return [
    line({
      text,
      x: page.width / 2,
      y: middle - unit,
      size,
      spacing: TITLE_SPACING,
      style: 'upright',
      fill: palette.ink,
    }),
    line({
      text: `${scale}  ·  ${projectionNames[projection]}`,
      x: page.width / 2,
      y: middle + 20 * unit,
      size: SUBTITLE_SIZE * unit,
      spacing: 0.06,
      style: 'italic',
      fill: palette.faintInk,
    }),
  ]
}

function drawScaleBar({ map, unit, scaleBar }: MapPlan, middle: number): string[] {
  const { segments, segmentKm, segmentWidth } = scaleBar
  const y = middle + 15 * unit
  const height = BAR_HEIGHT * unit
  const left = map.x
  const marks = Array.from({ length: segments + 1 }, (_, index) => index)
  const small = { size: SMALL_SIZE * unit, spacing: 0.03, style: 'upright', fill: palette.ink } as const
  const bars = marks
    .slice(0, -1)
    .map(
      (index) =>
        `<rect x="${fixed(left + index * segmentWidth)}" y="${fixed(y)}" width="${fixed(segmentWidth)}" height="${fixed(height)}" fill="${index % 2 === 0 ? palette.ink : palette.paper}" stroke="${palette.ink}" stroke-width="${fixed(0.6 * unit)}"/>`,
    )
  const numbers = marks
    .filter((index) => index % 2 === 0)
    .map((index) => {
      const kilometres = `${index * segmentKm}`
      const text = index === segments ? `${kilometres} km` : kilometres
      return line({ ...small, text, x: left + index * segmentWidth, y: y - 3.5 * unit })
    })
  return [
    ...bars,
    ...numbers,
    `<text x="${fixed(left)}" y="${fixed(y + 14 * unit)}" ${fontAttributes('italic')} font-size="${fixed(SMALL_SIZE * unit)}" letter-spacing="${fixed(0.3 * unit)}" fill="${palette.faintInk}">Made with Natural Earth</text>`,
  ]
}

function drawLocator({ map, unit, locator }: MapPlan, middle: number): string[] {
  if (locator === null) return []
  const { radius, land, graticule, view } = locator
  const x = map.x + map.width - radius
  const lines = (d: string, colour: string, wide: number, opacity = 1): string =>
    `<path d="${d}" fill="none" stroke="${colour}" stroke-opacity="${opacity}" stroke-width="${fixed(wide * unit)}"/>`
  return [
    `<g transform="translate(${fixed(x)} ${fixed(middle)})">`,
    `<circle r="${radius}" fill="${palette.sea}"/>`,
    `<path d="${land}" fill="${palette.neighbour}"/>`,
    lines(land, palette.coast, 0.35),
    lines(graticule, palette.grid, 0.35, 0.35),
    `<path d="${view}" fill="${palette.accent}" fill-opacity=".25"/>`,
    lines(view, palette.accent, 1.1),
    `<circle r="${radius}" fill="none" stroke="${palette.ink}" stroke-width="${fixed(0.9 * unit)}"/>`,
    `</g>`,
  ]
}

interface Line {
  readonly text: string
  readonly x: number
  readonly y: number
  readonly size: number
  readonly spacing: number
  readonly style: LetterStyle
  readonly fill: string
}

function line({ text, x, y, size, spacing, style, fill }: Line): string {
  return `<text x="${fixed(x + (size * spacing) / 2)}" y="${fixed(y)}" ${fontAttributes(style)} font-size="${fixed(size)}" letter-spacing="${fixed(size * spacing)}" text-anchor="middle" fill="${fill}">${escapeXml(text)}</text>`
}

function fixed(length: number): string {
  return length.toFixed(2)
}
