/** Where on the sheet the map stands, and the strip below it with title, scale bar and globe. */
import type { Page } from './paper.ts'
import type { Rectangle } from './map-plan.ts'

export interface Layout {
  /** By how much lettering and line widths differ from those of an A4 sheet. */
  readonly unit: number
  /** Within the neat line. */
  readonly map: Rectangle
}

/** Pixels of an A4 sheet: what all lengths below are meant for. */
const A4_SIDE = Math.sqrt(793.7 * 1122.5)

const MARGIN = 34
/** From the map to the outermost line of the frame. */
export const FRAME_WIDTH = 17
const STRIP_HEIGHT = 92

export function layoutOf({ width, height }: Page): Layout {
  // On a long narrow sheet the short side is what lettering has to fit.
  const unit = Math.min(Math.sqrt(width * height), Math.min(width, height) * 1.6) / A4_SIDE
  const inset = (MARGIN + FRAME_WIDTH) * unit
  const map = {
    x: inset,
    y: inset,
    width: width - 2 * inset,
    height: height - 2 * inset - (STRIP_HEIGHT - MARGIN * 0.4) * unit,
  }
  return {
    unit: tenths(unit, 1000),
    map: { x: tenths(map.x), y: tenths(map.y), width: tenths(map.width), height: tenths(map.height) },
  }
}

function tenths(length: number, precision = 10): number {
  return Math.round(length * precision) / precision
}
