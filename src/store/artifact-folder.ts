/** Artifacts as files of a folder. A file has its name once all its bytes are on the disk, so whoever finds one finds it whole. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import type { Readable } from 'node:stream'

import { checkMark, setMark, syncFolder } from './folder-mark.ts'
import type { FolderOwner } from './folder-mark.ts'
import type { ArtifactBytes, OldBytes, WrittenBytes } from './artifacts.ts'

/** A folder by the last digits of the id, then the id, with an extension; `.tmp` while it is being written. */
const FILE = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:\.[a-z0-9]{1,8})?(?:\.tmp)?$/
const FOLDERS = 256

export class ArtifactFolder implements ArtifactBytes {
  readonly path: string
  #owner: FolderOwner | null = null
  /** Marked as the owner's, or being so. */
  #marking: Promise<void> | null = null

  constructor(path: string) {
    this.path = resolve(path)
  }

  /**
   * From now on the folder is used for that store, and for no other. Marked it is when something is first kept or looked for in it.
   *
   * @param owner null: a store in memory, which leaves no mark
   * @throws MillraceError `artifacts-foreign` if it bears the mark of another store
   */
  async belongTo(owner: FolderOwner | null): Promise<void> {
    this.#owner = owner
    await checkMark(this.path, owner)
  }

  async write(path: string, chunks: AsyncIterable<Uint8Array>): Promise<WrittenBytes> {
    const file = this.fileOf(path)
    const folder = dirname(file)
    await mkdir(folder, { recursive: true })
    await this.#mark()
    const temporary = `${file}.tmp`
    const handle = await open(temporary, 'wx')
    try {
      const written = await writeChunks(handle, chunks)
      await handle.sync()
      await handle.close()
      await rename(temporary, file)
      await syncFolder(folder)
      return written
    } catch (error) {
      await handle.close().catch(() => {})
      await rm(temporary, { force: true })
      throw error
    }
  }

  async sizeOf(path: string): Promise<number | null> {
    if (!this.#holds(path)) return null
    const file = this.fileOf(path)
    const found = await stat(file).catch(() => null)
    return found?.size ?? null
  }

  read(path: string): Readable {
    return createReadStream(this.fileOf(path))
  }

  async remove(path: string): Promise<void> {
    if (this.#holds(path)) await rm(this.fileOf(path), { force: true })
  }

  async *old({ part, parts, ageMs, now }: OldBytes): AsyncGenerator<readonly string[]> {
    if ((await stat(this.path).catch(() => null)) === null) return
    await this.#mark()
    for (let number = part % parts; number < FOLDERS; number += parts) {
      const folder = number.toString(16).padStart(2, '0')
      const names = await readdir(join(this.path, folder)).catch(() => [])
      const old: string[] = []
      for (const path of names.filter((name) => FILE.test(name)).map((name) => `${folder}/${name}`)) {
        const found = await stat(this.fileOf(path)).catch(() => null)
        if (found !== null && found.mtimeMs <= now - ageMs) old.push(path)
      }
      if (old.length > 0) yield old
    }
  }

  /** The first to keep or to look for something has the folder. */
  async #mark(): Promise<void> {
    const owner = this.#owner
    this.#marking ??= owner === null ? checkMark(this.path, null).then(() => undefined) : setMark(this.path, owner)
    try {
      await this.#marking
    } catch (error) {
      this.#marking = null
      throw error
    }
  }

  #holds(path: string): boolean {
    return this.fileOf(path).startsWith(this.path + sep)
  }

  fileOf(path: string): string {
    return resolve(this.path, path)
  }
}

async function writeChunks(handle: FileHandle, chunks: AsyncIterable<Uint8Array>): Promise<WrittenBytes> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  for await (const chunk of chunks) {
    hash.update(chunk)
    await handle.appendFile(chunk)
    sizeBytes += chunk.byteLength
  }
  return { sizeBytes, sha256: hash.digest('hex') }
}
