/** The names on the map. */
import { escapeXml, fontAttributes } from './lettering.ts'
import { palette } from './palette.ts'

import type { Label, MapPlan } from './map-plan.ts'

const LINE_HEIGHT = 1.2
/** From the middle of a line down to where its letters stand, for capitals and for small letters. */
const CAPITALS_DROP = 0.33
const SMALL_DROP = 0.24

const colours = {
  focus: { fill: palette.accent, halo: palette.focus },
  country: { fill: palette.ink, halo: palette.neighbour },
  island: { fill: palette.ink, halo: palette.shallows[3] },
  sea: { fill: palette.seaName, halo: palette.sea },
} as const

export function drawLabels({ labels }: MapPlan): string[] {
  return labels.map(drawLabel)
}

function drawLabel({ kind, lines, x, y, size, spacing, angle }: Label): string {
  const { fill, halo } = colours[kind]
  const drop = kind === 'sea' || kind === 'island' ? SMALL_DROP : CAPITALS_DROP
  const turn = angle === 0 ? '' : ` transform="rotate(${angle} ${x} ${y})"`
  const spans = lines.map((line, index) => {
    const baseline = y + ((index - (lines.length - 1) / 2) * LINE_HEIGHT + drop) * size
    // The space after the last letter would push the line to the left.
    return `<tspan x="${(x + spacing / 2).toFixed(1)}" y="${baseline.toFixed(1)}">${escapeXml(line)}</tspan>`
  })
  return (
    `<text ${fontAttributes(kind === 'sea' ? 'italic' : 'upright')} font-size="${size}" letter-spacing="${spacing}" text-anchor="middle" ` +
    `fill="${fill}" stroke="${halo}" stroke-width="${(size * 0.2).toFixed(2)}" stroke-opacity=".8" paint-order="stroke"${turn}>${spans.join('')}</text>`
  )
}
