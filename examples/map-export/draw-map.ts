/** The third phase: from the plan to a drawing. */
import { drawFrame } from './draw-frame.ts'
import { drawLabels } from './draw-labels.ts'
import { drawStrip } from './draw-strip.ts'
import { palette } from './palette.ts'

import type { CountryPlan, MapPlan } from './map-plan.ts'

/** How far from the shore the sea changes its colour, in A4 pixels, from the open sea inwards. */
const SHALLOWS = [13, 8.6, 5.2, 2.4]

/**
 * The sheet as SVG, of the size in pixels that was asked for. It refers to nothing outside itself but our typeface. What hangs over the edge
 * of the earth or of the map is painted over rather than clipped, which would take a second and a third sheet of memory.
 */
export function drawMap(plan: MapPlan): string {
  const { page } = plan
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${page.widthPx}" height="${page.heightPx}" viewBox="0 0 ${page.width} ${page.height}" preserveAspectRatio="none" stroke-linejoin="round">`,
    `<defs>`,
    `<path id="sphere" d="${plan.sphere}"/>`,
    `<path id="land" d="${plan.countries.map(({ path }) => path).join('')}"/>`,
    `</defs>`,
    `<rect width="${page.width}" height="${page.height}" fill="${palette.paper}"/>`,
    ...drawSea(plan),
    ...drawLand(plan),
    ...drawFocus(plan),
    ...drawLines(plan),
    ...drawMargins(plan),
    ...drawLabels(plan),
    ...drawFrame(plan),
    ...drawStrip(plan),
    `</svg>`,
  ].join('\n')
}

function drawSea({ unit }: MapPlan): string[] {
  const bands = SHALLOWS.flatMap((distance, index) => [
    useLand(`fill="none" stroke="${palette.seaLine}" stroke-width="${width(2 * distance + 0.7, unit)}"`),
    useLand(`fill="none" stroke="${palette.shallows[index]}" stroke-width="${width(2 * distance, unit)}"`),
  ])
  return [
    `<use xlink:href="#sphere" fill="${palette.sea}"/>`,
    ...bands,
    useLand(`fill="none" stroke="${palette.coast}" stroke-width="${width(1.3, unit)}"`),
  ]
}

function drawLand({ countries }: MapPlan): string[] {
  return [
    useLand(`fill="${palette.neighbour}" fill-rule="evenodd"`),
    ...countries
      .filter(({ role }) => role === 'equal')
      .map((country) => filled(country, palette.tints[country.tint] ?? '')),
  ]
}

/** The country asked for, lifted off the sheet by a shadow, with a ribbon of colour inside its border. */
function drawFocus({ countries, unit }: MapPlan): string[] {
  const focus = countries.find(({ role }) => role === 'focus')
  if (focus === undefined) return []
  const shadows = [7.5, 5.2, 3.2, 1.6].map(
    (wide) =>
      `<path d="${focus.path}" transform="translate(${width(0.9, unit)} ${width(1.3, unit)})" fill="none" stroke="${palette.shadow}" stroke-opacity=".09" stroke-width="${width(wide, unit)}"/>`,
  )
  const ribbons = [8.4, 6.6, 4.8, 3.2, 1.6].map(
    (wide) =>
      `<path d="${focus.path}" fill="none" stroke="${palette.focusEdge}" stroke-opacity=".17" stroke-width="${width(wide, unit)}"/>`,
  )
  return [
    ...shadows,
    `<clipPath id="focus"><path d="${focus.path}" clip-rule="evenodd"/></clipPath>`,
    filled(focus, palette.focus),
    `<g clip-path="url(#focus)">`,
    ...ribbons,
    `</g>`,
    `<path d="${focus.path}" fill="none" stroke="${palette.coast}" stroke-width="${width(0.6, unit)}"/>`,
  ]
}

function drawLines({ unit, graticule, borders }: MapPlan): string[] {
  const dashes = [5, 1.6, 1, 1.6].map((dash) => width(dash, unit)).join(' ')
  return [
    `<path d="${graticule}" fill="none" stroke="${palette.grid}" stroke-opacity=".28" stroke-width="${width(0.5, unit)}"/>`,
    `<path d="${borders}" fill="none" stroke="${palette.border}" stroke-width="${width(0.75, unit)}" stroke-dasharray="${dashes}"/>`,
  ]
}

/** Paper beyond the outline of the earth and beyond the map. */
function drawMargins({ page, map, unit, sphere }: MapPlan): string[] {
  const sheet = `M0 0h${page.width}v${page.height}H0z`
  const opening = `M${map.x} ${map.y}h${map.width}v${map.height}h${-map.width}z`
  return [
    `<path d="${sheet}${sphere}" fill="${palette.paper}" fill-rule="evenodd"/>`,
    `<use xlink:href="#sphere" fill="none" stroke="${palette.coast}" stroke-width="${width(0.8, unit)}"/>`,
    `<path d="${sheet}${opening}" fill="${palette.paper}" fill-rule="evenodd"/>`,
  ]
}

function useLand(attributes: string): string {
  return `<use xlink:href="#land" ${attributes}/>`
}

function filled({ path }: CountryPlan, colour: string): string {
  return `<path d="${path}" fill="${colour}" fill-rule="evenodd"/>`
}

function width(length: number, unit: number): string {
  return (length * unit).toFixed(2)
}
