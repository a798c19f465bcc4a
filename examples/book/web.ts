/** The web app's side: it takes a book and orders that it be read. It has no handler, and works on nothing. */
import type { EnqueueResult, Millrace } from 'millrace'
import { readBook } from './jobs.ts'
import type { Shelf } from './shelf.ts'

export interface Upload {
  readonly bookId: string
  readonly epub: Uint8Array
  /** Who uploads it: the job's owner, who may cancel it. */
  readonly user: string
}

/** Uploading a book twice orders it once: the book's id is the key of its job. */
export async function uploadBook(
  mill: Millrace,
  shelf: Shelf,
  { bookId, epub, user }: Upload,
): Promise<EnqueueResult<typeof readBook>> {
  shelf.add(bookId, epub)
  return mill.enqueue(readBook, { bookId }, { owner: user, key: bookId, labels: { book: bookId } })
}
