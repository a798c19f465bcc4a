/** The fourth phase: from the drawing to the picture. */
import { Resvg } from '@resvg/resvg-js'

import { fontOptions } from './lettering.ts'

/** The picture as PNG. */
export function renderPng(svg: string): Uint8Array {
  return new Resvg(svg, { font: fontOptions }).render().asPng()
}
