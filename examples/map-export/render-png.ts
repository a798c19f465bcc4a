/** The fourth phase: from the drawing to the picture. */
import { crc32 } from 'node:zlib'

import { Resvg } from '@resvg/resvg-js'

import { fontOptions } from './lettering.ts'
import { millimetres } from './paper.ts'

import type { MapPlan } from './map-plan.ts'

/** The signature and the first chunk, which is always as long. */
const HEADER_BYTES = 33

/**
 * The picture as PNG, with the resolution noted in it, so that it prints in its true size. Takes one blocking call of about a second for A4
 * at 300 dpi and 12 bytes of memory a pixel: resvg can't go on where it stopped, and in bands it draws everything again for each.
 */
export function renderPng(svg: string, { page }: Pick<MapPlan, 'page'>): Uint8Array {
  const png = new Resvg(svg, { font: fontOptions() }).render().asPng()
  const pixelsPerMetre = (page.widthPx / millimetres(page.width)) * 1000
  return Buffer.concat([png.subarray(0, HEADER_BYTES), resolutionChunk(pixelsPerMetre), png.subarray(HEADER_BYTES)])
}

/** `pHYs` of the PNG specification: pixels a metre both ways. */
function resolutionChunk(pixelsPerMetre: number): Uint8Array {
  const chunk = Buffer.alloc(21)
  chunk.writeUInt32BE(9, 0)
  chunk.write('pHYs', 4, 'latin1')
  chunk.writeUInt32BE(Math.round(pixelsPerMetre), 8)
  chunk.writeUInt32BE(Math.round(pixelsPerMetre), 12)
  chunk.writeUInt8(1, 16)
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 17)), 17)
  return chunk
}
