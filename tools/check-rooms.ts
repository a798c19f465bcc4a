/**
 * Checks what each file of `src/` imports against the table in rooms.ts, and the names of all files.
 *
 *     node tools/check-rooms.ts
 */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { basename, posix, resolve } from 'node:path'
import { parseSync, type Span } from 'oxc-parser'

import { drawers, homes, rooms } from './rooms.ts'

/** One refused import or file name. */
export interface Complaint {
  /** Path from the root of the project, with forward slashes. */
  readonly file: string
  readonly line: number
  readonly message: string
}

interface Import {
  readonly file: string
  readonly line: number
  readonly specifier: string
  /** Whether only types are imported, so that nothing of it is left when the code runs. */
  readonly typesOnly: boolean
}

/**
 * Reads the sources under `root` and returns every breach of the room rules, in the order of files and lines.
 *
 * @param root - The folder that holds `src/`. Absolute, or from the current folder.
 */
export function checkRooms(root: string): Complaint[] {
  const sources = listFiles(root, 'src/**/*.ts')
  const imports = sources.flatMap((file) => importsOf(root, file))
  const complaints = [
    ...sources.filter((file) => rooms[roomOf(file)] === undefined).map(refuseRoom),
    ...imports.flatMap(checkImport),
    ...checkThirdParties(imports),
    ...listFiles(root, '{src,test,tools,examples,benchmarks}/**/*.ts').filter(isDrawer).map(refuseDrawer),
  ]
  return complaints.toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line)
}

/**
 * Finds rooms that may import each other, directly or through others, in the table itself: with a table free of
 * cycles and every import inside it, no cycle of rooms can exist.
 *
 * @returns Each cycle as a path that ends where it began, such as `['client', 'worker', 'client']`.
 */
export function cyclesIn(table: Readonly<Record<string, { readonly mayImport: readonly string[] }>>): string[][] {
  const done = new Set<string>()
  const cycles: string[][] = []
  const visit = (room: string, path: readonly string[]): void => {
    if (path.includes(room)) {
      cycles.push([...path.slice(path.indexOf(room)), room])
      return
    }
    if (done.has(room)) return
    for (const next of table[room]?.mayImport ?? []) visit(next, [...path, room])
    done.add(room)
  }
  for (const room of Object.keys(table)) visit(room, [])
  return cycles
}

function listFiles(root: string, pattern: string): string[] {
  const found = globSync(pattern, { cwd: root, exclude: ['**/node_modules/**', '**/data/**'] })
  return found.map((file) => file.replaceAll('\\', '/')).toSorted()
}

function importsOf(root: string, file: string): Import[] {
  const source = readFileSync(resolve(root, file), 'utf8')
  const { module, errors } = parseSync(file, source)
  if (errors.length > 0) throw new Error(`${file} does not parse: ${errors[0]?.message}`)
  const statements = [...module.staticImports, ...module.staticExports]
  const requests = [
    ...statements.flatMap((found) => {
      const entries: readonly { readonly isType: boolean; readonly moduleRequest?: Span | null }[] = found.entries
      const request = 'moduleRequest' in found ? found.moduleRequest : entries[0]?.moduleRequest
      return request ? { ...request, typesOnly: entries.length > 0 && entries.every(({ isType }) => isType) } : []
    }),
    ...module.dynamicImports.map(({ moduleRequest }) => ({ ...moduleRequest, typesOnly: false })),
  ]
  return requests.map(({ start, end, typesOnly }) => ({
    file,
    line: source.slice(0, start).split('\n').length,
    specifier: source.slice(start, end).replaceAll(/^['"`]|['"`]$/g, ''),
    typesOnly,
  }))
}

function checkImport(found: Import): Complaint[] {
  const own = roomOf(found.file)
  const room = rooms[own]
  if (room === undefined) return []
  const home = homes[packageOf(found.specifier)]
  if (home !== undefined && home.file !== found.file) {
    return [complain(found, `only ${home.file} imports ${found.specifier}: ${home.because}`)]
  }
  if (isBuiltin(found.specifier)) {
    if (room.builtins === 'any') return []
    return [complain(found, `${own} imports no Node module: ${room.because}`)]
  }
  if (packageOf(found.specifier) === 'millrace') {
    return [complain(found, 'inside src/ a file is imported by its path, not through the published package')]
  }
  if (!found.specifier.startsWith('.')) {
    if (own !== 'core' || (home !== undefined && found.typesOnly)) return []
    return [complain(found, `core imports no package: ${room.because}`)]
  }
  return checkNeighbour(found, own)
}

function checkNeighbour(found: Import, own: string): Complaint[] {
  const target = posix.join(posix.dirname(found.file), found.specifier)
  if (!target.startsWith('src/')) return [complain(found, 'src/ imports nothing outside src/: the package ships alone')]
  const other = roomOf(target)
  const room = rooms[own]
  if (other === own || room === undefined || room.mayImport.includes(other)) return []
  const allowed = room.mayImport.length === 0 ? 'nothing' : room.mayImport.join(', ')
  return [complain(found, `${own} may not import ${other} (it may import ${allowed}): ${room.because}`)]
}

function checkThirdParties(imports: readonly Import[]): Complaint[] {
  const outside = imports.filter(({ specifier }) => !specifier.startsWith('.') && !isBuiltin(specifier))
  return outside.flatMap((found) => {
    const name = packageOf(found.specifier)
    const first = outside.find(({ specifier }) => packageOf(specifier) === name)
    if (first === undefined || first.file === found.file) return []
    return [complain(found, `${name} is already imported by ${first.file}: one file adapts a package for all others`)]
  })
}

/** The folder under `src/` that holds the file, or the file itself if it stands at the top. */
function roomOf(file: string): string {
  return file.split('/')[1] ?? file
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

function isDrawer(file: string): boolean {
  return drawers.test(basename(file).replace(/\..*$/, ''))
}

function refuseDrawer(file: string): Complaint {
  return { file, line: 1, message: `"${basename(file)}" is a drawer: name the file after the one thing it holds` }
}

function refuseRoom(file: string): Complaint {
  return {
    file,
    line: 1,
    message: `src/${roomOf(file)} is in no room: give it a row, with its reason, in tools/rooms.ts`,
  }
}

function complain({ file, line }: Import, message: string): Complaint {
  return { file, line, message }
}

function main(root: string): void {
  if (!existsSync(resolve(root, 'src'))) throw new Error(`${resolve(root)} holds no src folder`)
  for (const cycle of cyclesIn(rooms)) {
    process.exitCode = 1
    console.error(`tools/rooms.ts: the table lets rooms import each other: ${cycle.join(' -> ')}`)
  }
  for (const { file, line, message } of checkRooms(root)) {
    process.exitCode = 1
    console.error(`${file}:${line}: ${message}`)
  }
}

if (import.meta.main) main(process.argv[2] ?? '.')
