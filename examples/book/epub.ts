/** Reading EPUB files (EPUB 3.3, https://www.w3.org/TR/epub-33/): a zip of XHTML pages, and a package document that puts them in order. */
import { dirname, join } from 'node:path/posix'
import { DOMParser, MIME_TYPE, onWarningStopParsing } from '@xmldom/xmldom'
import type { Document, Element } from '@xmldom/xmldom'
import { strFromU8, unzipSync } from 'fflate'
import { UnrecoverableError } from 'millrace'

/** The file can't be read as an EPUB, however often one tries. */
export class EpubError extends UnrecoverableError {
  override readonly name = 'EpubError'
}

export interface Epub {
  readonly title: string
  readonly author: string | null
  /** Paths of its pages inside the file, in the order in which they are read. */
  readonly pages: readonly string[]
  /** A page, parsed. @throws EpubError */
  page(path: string): Document
}

/** A small file can unpack to a huge one: whoever uploads it decides what is in it. */
const MOST_FILES = 2_000
const MOST_BYTES = 50_000_000

/** @throws EpubError */
export function openEpub(bytes: Uint8Array): Epub {
  const files = unpack(bytes)
  const container = parse(files, 'META-INF/container.xml')
  const rootFile = first(container, 'rootfile')?.getAttribute('full-path')
  if (rootFile == null) throw new EpubError('META-INF/container.xml names no package document.')
  const document = parse(files, rootFile)
  return {
    title: textOf(document, 'title') ?? 'Untitled',
    author: textOf(document, 'creator'),
    pages: pagesOf(document, dirname(rootFile)),
    page: (path) => parse(files, path),
  }
}

type Files = Readonly<Record<string, Uint8Array>>

function unpack(bytes: Uint8Array): Files {
  let count = 0
  let size = 0
  try {
    return unzipSync(bytes, {
      filter: ({ originalSize }) => {
        count += 1
        size += originalSize
        if (count > MOST_FILES || size > MOST_BYTES) throw new EpubError('The file unpacks to more than a book can be.')
        return true
      },
    })
  } catch (cause) {
    if (cause instanceof EpubError) throw cause
    throw new EpubError('The file is no zip archive, or a damaged one.', { cause })
  }
}

function parse(files: Files, path: string): Document {
  const file = files[path]
  if (file === undefined) throw new EpubError(`The file has no ${path}.`)
  try {
    return new DOMParser({ onError: onWarningStopParsing }).parseFromString(
      strFromU8(file),
      MIME_TYPE.XML_XHTML_APPLICATION,
    )
  } catch (cause) {
    throw new EpubError(`${path} is not well-formed.`, { cause })
  }
}

/** The spine names items of the manifest, and those name files, relative to the package document. */
function pagesOf(document: Document, folder: string): readonly string[] {
  const items = new Map(all(document, 'item').map((item) => [item.getAttribute('id'), item.getAttribute('href')]))
  const pages = all(document, 'itemref').map((reference) => {
    const id = reference.getAttribute('idref')
    const href = items.get(id)
    if (href == null) throw new EpubError(`The spine names ${id ?? 'nothing'}, which the manifest does not know.`)
    return join(folder, decodeURIComponent(href))
  })
  if (pages.length === 0) throw new EpubError('The book has no pages.')
  return pages
}

function textOf(document: Document, name: string): string | null {
  const text = first(document, name)?.textContent?.trim() ?? ''
  return text === '' ? null : text
}

function first(document: Document, name: string): Element | undefined {
  return all(document, name)[0]
}

/** Elements by their local name, whatever prefix their namespace has. */
export function all(document: Document, name: string): readonly Element[] {
  return [...document.getElementsByTagNameNS('*', name)]
}
