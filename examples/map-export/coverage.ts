/** What lies where on the page, in cells: whose land, or water, and where lettering already stands. */
import { radians } from './sphere.ts'

import type { Rectangle } from './map-plan.ts'
import type { PagePoint, Stroke } from './path-text.ts'

/** What a cell shows: water, the void beyond the earth's outline, or the country with that number, from 0. */
export type Ground = number

export const WATER: Ground = -1
export const VOID: Ground = -2

/** A rectangle that may be turned about its middle. */
export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  /** Degrees clockwise. */
  readonly angle: number
}

/** How a box is looked at: by points on a grid of so many steps. */
interface Sampling {
  readonly across: number
  readonly down: number
  readonly wanted: Ground
  readonly share: number
  readonly tolerated: Ground
}

/** One cell of a country or of the water, by its middle. */
export type CellPoint = PagePoint

export class Coverage {
  readonly #map: Rectangle
  readonly #cell: number
  readonly #columns: number
  readonly #rows: number
  readonly #ground: Int16Array
  readonly #taken: Uint8Array

  /** All void, no lettering. `cell` is the side of a cell. */
  constructor(map: Rectangle, cell: number) {
    this.#map = map
    this.#cell = cell
    this.#columns = Math.ceil(map.width / cell)
    this.#rows = Math.ceil(map.height / cell)
    this.#ground = new Int16Array(this.#columns * this.#rows).fill(VOID)
    this.#taken = new Uint8Array(this.#columns * this.#rows)
  }

  /** Fills what closed lines enclose; a line within a line is a hole. A skerry that no cell has its middle on is marked where it lies. */
  fill(strokes: readonly Stroke[], ground: Ground): void {
    const edges = strokes.flatMap(({ points }) => edgesOf(points))
    const crossings: number[][] = Array.from({ length: this.#rows }, () => [])
    for (const [from, to] of edges) this.#cross(from, to, crossings)
    for (const [row, columns] of crossings.entries()) {
      const sorted = columns.toSorted((a, b) => a - b)
      for (let index = 0; index + 1 < sorted.length; index += 2) {
        this.#fillRow(row, sorted[index] ?? 0, sorted[index + 1] ?? 0, ground)
      }
    }
    for (const { points } of strokes) this.#fillSkerry(points[0], ground)
  }

  /** The middles of all cells that show this. */
  cellsOf(ground: Ground): CellPoint[] {
    const cells: CellPoint[] = []
    for (const [index, shown] of this.#ground.entries()) {
      if (shown === ground) cells.push(this.#middle(index))
    }
    return cells
  }

  groundAt(x: number, y: number): Ground {
    const index = this.#index(x, y)
    return index === undefined ? VOID : (this.#ground[index] ?? VOID)
  }

  /**
   * Whether lettering may stand in a box: no other lettering, nothing but the wanted and the tolerated ground, and at least this share of it
   * on the wanted one.
   */
  allows(box: Box, wanted: Ground, share: number, tolerated: Ground = wanted): boolean {
    // Most boxes fail at a corner, which is cheaper to find out than all the rest.
    if (!this.#allowsGrid(box, { across: 1, down: 1, wanted, share: 0, tolerated })) return false
    const across = Math.max(1, Math.ceil(box.width / this.#cell))
    const down = Math.max(1, Math.ceil(box.height / this.#cell))
    return this.#allowsGrid(box, { across, down, wanted, share, tolerated })
  }

  /** Marks a box as lettered. */
  take(box: Box): void {
    const across = Math.max(1, Math.ceil(box.width / this.#cell))
    const down = Math.max(1, Math.ceil(box.height / this.#cell))
    const at = placerOf(box)
    for (let sample = 0; sample < (across + 1) * (down + 1); sample += 1) {
      const [x, y] = at((sample % (across + 1)) / across, Math.floor(sample / (across + 1)) / down)
      const index = this.#index(x, y)
      if (index !== undefined) this.#taken[index] = 1
    }
  }

  #allowsGrid(box: Box, { across, down, wanted, share, tolerated }: Sampling): boolean {
    const at = placerOf(box)
    const samples = (across + 1) * (down + 1)
    let most = samples * (1 - share)
    for (let sample = 0; sample < samples; sample += 1) {
      const [x, y] = at((sample % (across + 1)) / across, Math.floor(sample / (across + 1)) / down)
      const index = this.#index(x, y)
      if (index === undefined || this.#taken[index] === 1) return false
      const ground = this.#ground[index]
      if (ground === wanted) continue
      most -= 1
      if (ground !== tolerated || most < 0) return false
    }
    return true
  }

  #cross([xA, yA]: PagePoint, [xB, yB]: PagePoint, crossings: number[][]): void {
    const [rowA, rowB] = [(yA - this.#map.y) / this.#cell - 0.5, (yB - this.#map.y) / this.#cell - 0.5]
    const first = Math.max(0, Math.ceil(Math.min(rowA, rowB)))
    const last = Math.min(this.#rows - 1, Math.ceil(Math.max(rowA, rowB)) - 1)
    for (let row = first; row <= last; row += 1) {
      const x = xA + ((row - rowA) / (rowB - rowA)) * (xB - xA)
      crossings[row]?.push((x - this.#map.x) / this.#cell - 0.5)
    }
  }

  #fillRow(row: number, from: number, to: number, ground: Ground): void {
    const first = Math.max(0, Math.ceil(from))
    const last = Math.min(this.#columns - 1, Math.floor(to))
    if (last >= first) this.#ground.fill(ground, row * this.#columns + first, row * this.#columns + last + 1)
  }

  #fillSkerry([x, y]: PagePoint = [Number.NaN, Number.NaN], ground: Ground): void {
    const index = this.#index(x, y)
    if (index !== undefined && this.#ground[index] === WATER) this.#ground[index] = ground
  }

  #index(x: number, y: number): number | undefined {
    const column = Math.floor((x - this.#map.x) / this.#cell)
    const row = Math.floor((y - this.#map.y) / this.#cell)
    if (!(column >= 0 && row >= 0) || column >= this.#columns || row >= this.#rows) return undefined
    return row * this.#columns + column
  }

  #middle(index: number): CellPoint {
    const column = index % this.#columns
    const row = (index - column) / this.#columns
    return [this.#map.x + (column + 0.5) * this.#cell, this.#map.y + (row + 0.5) * this.#cell]
  }
}

/** Points of a box by their share of its width and height. */
function placerOf({ x, y, width, height, angle }: Box): (across: number, down: number) => PagePoint {
  const [cos, sin] = [Math.cos(angle * radians), Math.sin(angle * radians)]
  return (across, down) => {
    const [offX, offY] = [(across - 0.5) * width, (down - 0.5) * height]
    return [x + offX * cos - offY * sin, y + offX * sin + offY * cos]
  }
}

function edgesOf(points: readonly PagePoint[]): [PagePoint, PagePoint][] {
  return points.map((point, index) => [points[(index || points.length) - 1] ?? point, point])
}
