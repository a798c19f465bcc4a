/** The frame: the neat line with its dark and light degrees, their numbers, and a strong line around. */
import { FRAME_WIDTH } from './layout.ts'
import { escapeXml, fontAttributes } from './lettering.ts'
import { palette } from './palette.ts'

import type { MapPlan, Rectangle, Tick } from './map-plan.ts'

const BAND = 3.4
const NUMBER_SIZE = 7
/** Numbers nearer than this to a corner would touch it. */
const CORNER = 16

export function drawFrame(plan: MapPlan): string[] {
  const { map, unit } = plan
  return [
    outline(map, 0, 0.6 * unit),
    ...drawBand(plan),
    outline(map, BAND * unit, 0.6 * unit),
    outline(map, (FRAME_WIDTH - 2.4) * unit, 0.5 * unit),
    outline(map, FRAME_WIDTH * unit, 1.8 * unit),
    ...drawNumbers(plan),
  ]
}

function outline({ x, y, width, height }: Rectangle, offset: number, stroke: number): string {
  return `<rect x="${fixed(x - offset)}" y="${fixed(y - offset)}" width="${fixed(width + 2 * offset)}" height="${fixed(height + 2 * offset)}" fill="none" stroke="${palette.ink}" stroke-width="${fixed(stroke)}" stroke-linejoin="miter"/>`
}

function drawBand({ map, unit, ticks }: MapPlan): string[] {
  const { x, y, width, height } = map
  const band = BAND * unit
  const across = (list: readonly Tick[], top: number): string[] =>
    darkStretches(list, x, x + width).map(([from, to]) => bar(from, top, to - from, band))
  const down = (list: readonly Tick[], left: number): string[] =>
    darkStretches(list, y, y + height).map(([from, to]) => bar(left, from, band, to - from))
  return [
    ...across(ticks.top, y - band),
    ...across(ticks.bottom, y + height),
    ...down(ticks.left, x - band),
    ...down(ticks.right, x + width),
  ]
}

/** The dark stretches between ticks. What comes before the first is the opposite of what comes after it. */
function darkStretches(ticks: readonly Tick[], start: number, end: number): [from: number, to: number][] {
  const first = ticks[0]
  if (first === undefined) return []
  const stretches = [{ at: start, dark: !first.dark }, ...ticks]
  return stretches.flatMap(({ at, dark }, index): [number, number][] =>
    dark ? [[at, stretches[index + 1]?.at ?? end]] : [],
  )
}

function bar(x: number, y: number, width: number, height: number): string {
  return `<rect x="${fixed(x)}" y="${fixed(y)}" width="${fixed(width)}" height="${fixed(height)}" fill="${palette.ink}"/>`
}

function drawNumbers({ map, unit, ticks }: MapPlan): string[] {
  const { x, y, width, height } = map
  const off = ((BAND + FRAME_WIDTH - 2.4) / 2) * unit
  const corner = CORNER * unit
  const across = ticksBetween(ticks.top, x + corner, x + width - corner)
  const below = ticksBetween(ticks.bottom, x + corner, x + width - corner)
  const left = ticksBetween(ticks.left, y + corner, y + height - corner)
  const right = ticksBetween(ticks.right, y + corner, y + height - corner)
  return [
    ...across.map(({ at, text }) => number(text, unit, `translate(${fixed(at)} ${fixed(y - off)})`)),
    ...below.map(({ at, text }) => number(text, unit, `translate(${fixed(at)} ${fixed(y + height + off)})`)),
    ...left.map(({ at, text }) => number(text, unit, `translate(${fixed(x - off)} ${fixed(at)}) rotate(-90)`)),
    ...right.map(({ at, text }) => number(text, unit, `translate(${fixed(x + width + off)} ${fixed(at)}) rotate(90)`)),
  ]
}

function ticksBetween(ticks: readonly Tick[], from: number, to: number): Tick[] {
  return ticks.filter(({ at }) => at >= from && at <= to)
}

function number(text: string, unit: number, transform: string): string {
  const size = NUMBER_SIZE * unit
  return `<text transform="${transform}" y="${fixed(size * 0.32)}" ${fontAttributes('upright')} font-size="${fixed(size)}" letter-spacing="${fixed(size * 0.04)}" text-anchor="middle" fill="${palette.ink}">${escapeXml(text)}</text>`
}

function fixed(length: number): string {
  return length.toFixed(2)
}
