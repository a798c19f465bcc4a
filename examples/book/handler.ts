/** How a book is read. Only the library imports this, and with it what opens EPUB files. */
import { handle } from 'millrace'
import type { Handler, OutputOf } from 'millrace'
import { openEpub } from './epub.ts'
import { readBook } from './jobs.ts'
import { readChapter } from './read-chapter.ts'
import type { Shelf } from './shelf.ts'

/** What each phase hands on. The text itself goes to the shelf. */
export interface BookResults {
  readonly unpack: { readonly title: string; readonly author: string | null; readonly pages: readonly string[] }
  readonly chapters: readonly { readonly title: string; readonly words: number }[]
  readonly publish: OutputOf<typeof readBook>
}

/** The handler for the books of a shelf. Each phase may be run again: it writes what it would have written the first time. */
export function readBookFrom(shelf: Shelf): Handler<typeof readBook, BookResults> {
  return handle(readBook)
    .phase('unpack', ({ input: { bookId }, log }) => {
      shelf.beginReading(bookId)
      const { title, author, pages } = openEpub(shelf.epub(bookId))
      log.info(`"${title}" has ${pages.length} pages`)
      return { title, author, pages }
    })
    .phase('chapters', ({ input: { bookId }, results: { unpack }, progress, checkCancellation }) => {
      const epub = openEpub(shelf.epub(bookId))
      return unpack.pages.map((path, index) => {
        checkCancellation()
        const chapter = readChapter(epub.page(path), index + 1)
        shelf.putChapter(bookId, index, chapter)
        progress((100 * (index + 1)) / unpack.pages.length, { chapter: chapter.title })
        return { title: chapter.title, words: chapter.words }
      })
    })
    .phase('publish', ({ input: { bookId }, results: { unpack, chapters } }) => {
      const words = chapters.reduce((sum, chapter) => sum + chapter.words, 0)
      shelf.publish(bookId, unpack.title, words)
      return { bookId, title: unpack.title, chapters: chapters.length, words }
    })
}
