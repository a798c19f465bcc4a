/** How a name is written so that it fits a place. */
import { textWidth } from './lettering.ts'

import type { Box, Coverage, Ground } from './coverage.ts'
import type { Label } from './map-plan.ts'
import type { PagePoint } from './path-text.ts'

/** A way to write a name. */
export interface Wording {
  readonly kind: Label['kind']
  readonly lines: readonly string[]
  readonly size: number
  /** Between letters, as a share of the size. */
  readonly spacing: number
  /** Degrees clockwise. */
  readonly angle: number
}

/** Where a name may stand: some places, the best first, and how much of it must be on which ground. */
export interface Site {
  readonly places: readonly PagePoint[]
  readonly ground: Ground
  /** 0 to 1. */
  readonly share: number
  /** On what the rest may be; no other ground unless given. */
  readonly tolerated?: Ground
}

const LINE_HEIGHT = 1.2
const CAPITAL_HEIGHT = 0.7

/** The first wording for which there is a place, which is taken only by `settled`. */
export function firstThatFits(coverage: Coverage, wordings: readonly Wording[], site: Site): Label | undefined {
  for (const wording of wordings) {
    const place = site.places.find(([x, y]) =>
      coverage.allows(boxOf(wording, x, y), site.ground, site.share, site.tolerated),
    )
    if (place !== undefined) return labelAt(wording, place)
  }
  return undefined
}

/** The same label; from now on nothing else stands there. */
export function settled(coverage: Coverage, label: Label): Label {
  coverage.take(boxOf({ ...label, spacing: label.spacing / label.size }, label.x, label.y))
  return label
}

/** What a name takes around its middle, with some air. */
export function boxOf({ kind, lines, size, spacing, angle }: Wording, x: number, y: number): Box {
  const style = kind === 'sea' ? 'italic' : 'upright'
  const width = Math.max(...lines.map((line) => textWidth(line, style, size, spacing * size)))
  const height = ((lines.length - 1) * LINE_HEIGHT + CAPITAL_HEIGHT) * size
  // The ribbon inside its border is to stay free.
  const air = kind === 'focus' ? 1 : 0.5
  return { x, y, width: width + air * size, height: height + 0.45 * size, angle }
}

/** A name as one line, and as the two most equal ones. */
export function brokenLines(name: string): string[][] {
  const words = name.split(' ')
  const breaks = words.slice(1).map((_, index) => {
    const lines = [words.slice(0, index + 1).join(' '), words.slice(index + 1).join(' ')]
    return { lines, longest: Math.max(...lines.map((line) => line.length)) }
  })
  const best = breaks.toSorted((a, b) => a.longest - b.longest)[0]
  return best === undefined ? [[name]] : [[name], best.lines]
}

/** At most so many of the places, those nearest to their middle first. */
export function fromTheHeart(places: readonly PagePoint[], most: number): PagePoint[] {
  return nearestFirst(evenly(places, most), middleOf(places))
}

/** The places in the order of their distance from one. */
export function nearestFirst(places: readonly PagePoint[], [middleX, middleY]: PagePoint): PagePoint[] {
  const distance = ([x, y]: PagePoint): number => Math.hypot(x - middleX, y - middleY)
  return places.toSorted((a, b) => distance(a) - distance(b))
}

/** Half of the places lie on either side of it: unlike the mean it stays on the main island. */
export function middleOf(places: readonly PagePoint[]): PagePoint {
  return [medianOf(places.map(([x]) => x)), medianOf(places.map(([, y]) => y))]
}

/** At most so many of the items, at equal distances. */
export function evenly<T>(items: readonly T[], most: number): T[] {
  const step = Math.max(1, items.length / most)
  const count = Math.floor(items.length / step)
  return Array.from({ length: count }, (_, index) => items[Math.floor(index * step)]).filter(
    (item) => item !== undefined,
  )
}

function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0
}

function labelAt({ kind, lines, size, spacing, angle }: Wording, [x, y]: PagePoint): Label {
  return { kind, lines: [...lines], x: tenth(x), y: tenth(y), size: tenth(size), spacing: tenth(spacing * size), angle }
}

function tenth(length: number): number {
  return Math.round(length * 10) / 10
}
