/**
 * Whose a folder of artifacts is. A store removes files that are none of its artifacts', so a folder may be one store's alone. A small file in it,
 * the mark, names the store: it is set before the first file is written or looked for, and never changed.
 */
import { link, mkdtemp, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { MillraceError } from '../core/errors.ts'

const MARK = 'millrace-store'

export interface FolderOwner {
  /** What tells the store from every other, also from one that is made in its place. */
  readonly storeId: string
  /** Where the store is, for people, without a password. */
  readonly store: string
}

/**
 * Changes nothing.
 *
 * @param owner null: a store that keeps nothing beyond its process, to which every mark is another's
 * @returns whether the folder is marked as the owner's; false: it is not marked
 * @throws MillraceError `artifacts-foreign`
 */
export async function checkMark(folder: string, owner: FolderOwner | null): Promise<boolean> {
  const path = join(folder, MARK)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (isCode(error, 'ENOENT')) return null
    throw error
  })
  if (text === null) return false
  const [storeId = '', store = ''] = text.split('\n')
  if (storeId === owner?.storeId) return true
  throw new MillraceError(
    'artifacts-foreign',
    `The folder ${folder} holds the artifacts of another store${store === '' ? '' : `, ${store}`}. Two stores that share a folder remove each ` +
      'other\'s files: name another one with the option "artifacts". Where that store is gone and this one is to have its files, ' +
      `remove ${path}; where nobody needs them, remove the folder.`,
    { details: { folder, store } },
  )
}

/**
 * Marks the folder, which is there, as the owner's, unless it is already. Of several who do so at once one succeeds.
 *
 * @throws MillraceError `artifacts-foreign`
 */
export async function setMark(folder: string, owner: FolderOwner): Promise<void> {
  if (await checkMark(folder, owner)) return
  await placeMark(folder, owner)
  await checkMark(folder, owner)
}

/** Whole or not at all, and over no other: a file gets a second name only where that name is free. */
async function placeMark(folder: string, { storeId, store }: FolderOwner): Promise<void> {
  const aside = await mkdtemp(join(folder, `${MARK}-`))
  const [made, mark] = [join(aside, MARK), join(folder, MARK)]
  try {
    await writeFlushed(made, `${storeId}\n${store}\n`)
    await link(made, mark).catch(async (error: unknown) => {
      // On a file system without second names, whoever is at it in the same moment is found out by reading the mark again.
      if (!isCode(error, 'EEXIST') && !(await checkMark(folder, { storeId, store }))) await rename(made, mark)
    })
    await syncFolder(folder)
  } finally {
    await rm(aside, { recursive: true, force: true })
  }
}

async function writeFlushed(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx')
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes a rename or a new name durable. Windows has no such thing, and needs none. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
