import type { MapRequest } from './map-request.ts'

/** Width and height of a page in pixels of 1/96 inch, the unit of everything in a plan, and in pixels of the picture. */
export interface Page {
  readonly width: number
  readonly height: number
  readonly widthPx: number
  readonly heightPx: number
}

/** The largest picture: at 4 bytes a pixel this is 480 MB of memory, and an A1 sheet at 390 dpi. */
export const MAX_MEGAPIXELS = 120

const MIN_SIDE_MM = 60
const MAX_SIDE_MM = 2000
const MAX_RATIO = 4

const MM_PER_INCH = 25.4
const UNITS_PER_MM = 96 / MM_PER_INCH

const PAPERS = {
  A5: [148, 210],
  A4: [210, 297],
  A3: [297, 420],
  A2: [420, 594],
  A1: [594, 841],
  letter: [215.9, 279.4],
} as const

/** The page or the box asked for can't be drawn; trying again changes nothing. */
export class ImpossibleSizeError extends Error {
  override readonly name = 'ImpossibleSizeError'
  readonly code = 'size-impossible'
  readonly status = 422
}

/**
 * The page that a request asks for. With `auto` a named sheet lies the way that suits the region, and a size in millimetres is taken as given.
 *
 * @throws ImpossibleSizeError if a side is not within 60 to 2000 mm or more than 4 times the other, or the picture has more than 120 megapixels
 */
export function pageOf({ paper, orientation, dpi }: MapRequest, lies: 'portrait' | 'landscape'): Page {
  const [widthMm, heightMm] = turned(paper, orientation, lies)
  const isTooLong = Math.max(widthMm, heightMm) > MAX_RATIO * Math.min(widthMm, heightMm)
  if (!isPrintable(widthMm) || !isPrintable(heightMm) || isTooLong) {
    throw new ImpossibleSizeError(
      `invalid dimensions: ${widthMm} × ${heightMm} mm; a side can have ${MIN_SIDE_MM} to ${MAX_SIDE_MM} mm, ` +
        `and the longer one ${MAX_RATIO} times the shorter one`,
    )
  }
  const widthPx = Math.round((widthMm / MM_PER_INCH) * dpi)
  const heightPx = Math.round((heightMm / MM_PER_INCH) * dpi)
  refuseTooLarge(widthPx, heightPx, dpi)
  return { width: round(widthMm * UNITS_PER_MM), height: round(heightMm * UNITS_PER_MM), widthPx, heightPx }
}

/** Millimetres on paper of a length in the plan's unit. */
export function millimetres(units: number): number {
  return units / UNITS_PER_MM
}

function turned(
  paper: MapRequest['paper'],
  orientation: MapRequest['orientation'],
  lies: 'portrait' | 'landscape',
): readonly [widthMm: number, heightMm: number] {
  const isSheet = typeof paper === 'string'
  const [widthMm, heightMm] = isSheet ? PAPERS[paper] : [paper.widthMm, paper.heightMm]
  if (!isSheet && orientation === 'auto') return [widthMm, heightMm]
  const sides = [Math.min(widthMm, heightMm), Math.max(widthMm, heightMm)] as const
  const wanted = orientation === 'auto' ? lies : orientation
  return wanted === 'portrait' ? sides : [sides[1], sides[0]]
}

function isPrintable(sideMm: number): boolean {
  return sideMm >= MIN_SIDE_MM && sideMm <= MAX_SIDE_MM
}

function refuseTooLarge(widthPx: number, heightPx: number, dpi: number): void {
  const megapixels = (widthPx * heightPx) / 1e6
  if (megapixels <= MAX_MEGAPIXELS) return
  const possibleDpi = Math.floor(dpi * Math.sqrt(MAX_MEGAPIXELS / megapixels))
  throw new ImpossibleSizeError(
    `invalid dimensions: ${widthPx} × ${heightPx} pixels are ${megapixels.toFixed(0)} megapixels, the limit is ${MAX_MEGAPIXELS}; ` +
      `this paper can be had with up to ${possibleDpi} dpi`,
  )
}

function round(units: number): number {
  return Math.round(units * 10) / 10
}
