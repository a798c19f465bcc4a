import type { Document } from '@xmldom/xmldom'
import { all } from './epub.ts'
import type { Chapter } from './shelf.ts'

/** What a reader sees of a page: its heading, and its paragraphs as plain text. */
export function readChapter(page: Document, number: number): Chapter {
  const heading = ['h1', 'h2', 'title']
    .flatMap((name) => all(page, name))
    .map(textIn)
    .find((text) => text !== '')
  const paragraphs = all(page, 'p')
    .map(textIn)
    .filter((text) => text !== '')
  const text = paragraphs.join('\n\n')
  return { title: heading ?? `Chapter ${number}`, text, words: text.match(/\S+/g)?.length ?? 0 }
}

function textIn({ textContent }: { readonly textContent: string | null }): string {
  return (textContent ?? '').replaceAll(/\s+/g, ' ').trim()
}
