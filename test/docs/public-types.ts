/**
 * The types that stand in the signatures of a door, held against those that can be imported from it: what a user meets in an editor must be
 * possible to write down. What a module keeps to itself is no one's to name, but what it is made of counts.
 */
import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'

import { parseSync } from 'oxc-parser'

/** A declaration, by the module that exports it. */
interface Place {
  readonly file: string
  readonly name: string
}

/** A type that stands in a public signature and can't be imported from any of the doors. */
export interface Unnamed extends Place {
  /** What is exported, and has it in its signature. */
  readonly by: string
}

/** @param doors files that pass on what they export, from the root */
export function unnamedTypes(root: string, doors: readonly string[]): readonly Unnamed[] {
  const modules = new Map<string, Module>()
  const read = (file: string): Module => {
    const known = modules.get(file)
    if (known !== undefined) return known
    const module = readModule(root, file)
    modules.set(file, module)
    return module
  }
  const exported = doors.flatMap((door) => [...read(door).passedOn])
  const known = new Set(exported.map(keyOf))
  const unnamed = new Map<string, Unnamed>()
  const look = ({ file, name }: Place, by: string, seen: Set<string>): void => {
    const { declarations, imported, isExported } = read(file)
    for (const node of declarations.get(name) ?? []) {
      for (const { name: used, isBase } of namesIn(node)) {
        const place = imported.get(used) ?? (declarations.has(used) ? { file, name: used } : null)
        if (place === null || known.has(keyOf(place)) || seen.has(keyOf(place))) continue
        seen.add(keyOf(place))
        const isOwn = place.file === file && !isExported.has(used)
        if (isBase || isOwn) look(place, by, seen)
        else unnamed.set(keyOf(place), { ...place, by })
      }
    }
  }
  for (const place of exported) look(place, place.name, new Set())
  return [...unnamed.values()]
}

function keyOf({ file, name }: Place): string {
  return `${file} ${name}`
}

interface Module {
  readonly declarations: ReadonlyMap<string, readonly Tree[]>
  readonly isExported: ReadonlySet<string>
  /** Names that come from other modules of the project. */
  readonly imported: ReadonlyMap<string, Place>
  /** What it exports from other modules. */
  readonly passedOn: readonly Place[]
}

/** A node of the syntax tree. Declarations for the compiler alone have been taken out. */
type Tree = { readonly type: string; readonly [name: string]: unknown }

function readModule(root: string, file: string): Module {
  const source = readFileSync(join(root, file), 'utf8')
  const { program, module, comments } = parseSync(file, source)
  const placeOf = (specifier: string, name: string): Place => ({
    file: posix.join(posix.dirname(file), specifier),
    name,
  })
  const imports = module.staticImports.filter(({ moduleRequest }) => moduleRequest.value.startsWith('.'))
  const exports = module.staticExports.flatMap(({ entries }) => entries)
  const internal = comments.filter(({ value }) => value.includes('@internal')).map(({ end }) => end)
  const declarations = new Map<string, Tree[]>()
  for (const statement of program.body as unknown as readonly Tree[]) {
    const declaration = isTree(statement['declaration']) ? statement['declaration'] : statement
    for (const [name, node] of declared(declaration)) {
      const bare = withoutInternal(node, source, internal)
      declarations.set(name, [...(declarations.get(name) ?? []), bare])
    }
  }
  return {
    declarations,
    isExported: new Set(exports.map(({ exportName }) => exportName.name ?? '')),
    imported: new Map(
      imports.flatMap(({ moduleRequest, entries }) =>
        entries.map(({ importName, localName }) => [
          localName.value,
          placeOf(moduleRequest.value, importName.name ?? ''),
        ]),
      ),
    ),
    passedOn: exports.flatMap(({ moduleRequest, importName }) =>
      moduleRequest === null ? [] : [placeOf(moduleRequest.value, importName.name ?? '')],
    ),
  }
}

/** What a statement declares, by name. */
function declared(statement: Tree): readonly (readonly [string, Tree])[] {
  const { declarations } = statement
  if (Array.isArray(declarations)) return declarations.flatMap((one: unknown) => (isTree(one) ? declared(one) : []))
  const name = nameOf(statement['id'])
  return name === null ? [] : [[name, statement]]
}

function withoutInternal(node: Tree, source: string, internal: readonly number[]): Tree {
  const { body } = node
  if (!isTree(body) || !Array.isArray(body['body'])) return node
  const isInternal = ({ start }: Tree): boolean =>
    internal.some((end) => end <= Number(start) && source.slice(end, Number(start)).trim() === '')
  return { ...node, body: { ...body, body: body['body'].filter((member: Tree) => !isInternal(member)) } }
}

interface Named {
  readonly name: string
  /** It is what the declaration extends: its members are inherited. */
  readonly isBase: boolean
}

/** The types that a declaration names where others can see it. */
function namesIn(node: unknown): readonly Named[] {
  if (Array.isArray(node)) return node.flatMap(namesIn)
  if (!isTree(node) || isHidden(node)) return []
  const own: Named[] = []
  const reference = node.type === 'TSTypeReference' ? leftmost(node['typeName']) : null
  if (reference !== null) own.push({ name: reference, isBase: false })
  for (const base of [node['superClass'], node.type === 'TSInterfaceHeritage' ? node['expression'] : null]) {
    const name = nameOf(base)
    if (name !== null) own.push({ name, isBase: true })
  }
  return [...own, ...Object.entries(node).flatMap(([key, child]) => (isBehind(node, key) ? [] : namesIn(child)))]
}

/** Private members, and the code of functions. */
function isHidden(node: Tree): boolean {
  const { type, key, accessibility } = node
  return type === 'BlockStatement' || accessibility === 'private' || (isTree(key) && key.type === 'PrivateIdentifier')
}

/** The values of what has them, beside which their types are written; and of `A['b']` the `A`, which nobody gets to see. */
function isBehind({ type }: Tree, key: string): boolean {
  if (type === 'TSIndexedAccessType') return key === 'objectType'
  if (type === 'PropertyDefinition') return key === 'value'
  if (type === 'VariableDeclarator') return key === 'init'
  return type === 'AssignmentPattern' && key === 'right'
}

function isTree(node: unknown): node is Tree {
  return typeof node === 'object' && node !== null && 'type' in node && typeof node.type === 'string'
}

function nameOf(node: unknown): string | null {
  return isTree(node) && node.type === 'Identifier' ? String(node['name']) : null
}

/** Of `a.b.c` the `a`. */
function leftmost(node: unknown): string | null {
  return isTree(node) && node.type === 'TSQualifiedName' ? leftmost(node['left']) : nameOf(node)
}
