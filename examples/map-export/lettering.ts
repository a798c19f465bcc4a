/**
 * The typeface: EB Garamond, which ships as TrueType files in a package, so that a machine without any fonts draws the same map. It has
 * Latin, Greek and Cyrillic; letters of other scripts would come out as empty boxes.
 */
import { createRequire } from 'node:module'

import { Resvg } from '@resvg/resvg-js'

import type { ResvgRenderOptions } from '@resvg/resvg-js'

/** Upright medium for names and titles, italic for water. */
export type LetterStyle = 'upright' | 'italic'

const MEASURED_SIZE = 100
const faces = [
  '@expo-google-fonts/eb-garamond/500Medium/EBGaramond_500Medium.ttf',
  '@expo-google-fonts/eb-garamond/400Regular_Italic/EBGaramond_400Regular_Italic.ttf',
]
const resolve = createRequire(import.meta.url).resolve
const widths = new Map<string, number>()

/** What resvg needs to know to use our typeface and no other. */
export function fontOptions(): NonNullable<ResvgRenderOptions['font']> {
  return { loadSystemFonts: false, fontFiles: faces.map((face) => resolve(face)), defaultFontFamily: 'EB Garamond' }
}

/** The attributes of an SVG text in a style. */
export function fontAttributes(style: LetterStyle): string {
  const face = style === 'italic' ? 'font-style="italic" font-weight="400"' : 'font-weight="500"'
  return `font-family="EB Garamond" ${face}`
}

/** The width of a line of text. `spacing` is added between letters; both in the unit of the size. */
export function textWidth(text: string, style: LetterStyle, size: number, spacing = 0): number {
  const key = `${style} ${text}`
  const known = widths.get(key) ?? measured(text, style)
  widths.set(key, known)
  return (known * size) / MEASURED_SIZE + spacing * Math.max(0, [...text].length - 1)
}

/** Text as it may stand in SVG. */
export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

function measured(text: string, style: LetterStyle): number {
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">` +
    `<text x="0" y="0" font-size="${MEASURED_SIZE}" ${fontAttributes(style)}>${escapeXml(text)}</text></svg>`
  return new Resvg(svg, { font: fontOptions() }).getBBox()?.width ?? 0
}
