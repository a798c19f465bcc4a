import { existsSync, readFileSync } from 'node:fs'

/** The lines that have been written whole; none where there is no such file yet. */
export function readLines(file: string): readonly string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
}
