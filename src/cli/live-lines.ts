/** Lines at the foot of a terminal that are drawn again and again in their place; whatever else is printed goes above them. */

export interface LiveLines {
  readonly draw: (lines: readonly string[]) => void
  /** Prints a line above. */
  readonly above: (line: string) => void
  /** Leaves the lines as they are and draws no more. */
  readonly end: () => void
}

const CURSOR_UP = (count: number): string => (count === 0 ? '' : `\u001b[${count}A`)
const CLEAR_BELOW = '\u001b[0J'

export function liveLines(write: (text: string) => void): LiveLines {
  let drawn: readonly string[] = []
  const draw = (lines: readonly string[], above: string = ''): void => {
    write(`${CURSOR_UP(drawn.length)}\r${CLEAR_BELOW}${above}${lines.map((line) => `${line}\n`).join('')}`)
    drawn = lines
  }
  return {
    draw: (lines) => draw(lines),
    above: (line) => draw(drawn, `${line}\n`),
    end: () => {
      drawn = []
    },
  }
}
