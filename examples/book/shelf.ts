/** The books of the application, in a database of its own: Millrace keeps the jobs, and knows nothing of this one. */
import { DatabaseSync } from 'node:sqlite'
import { UnrecoverableError } from 'millrace'

export type BookStatus = 'UPLOADED' | 'READING' | 'READY'

export interface Book {
  readonly id: string
  readonly status: BookStatus
  /** Null until it has been read. */
  readonly title: string | null
  readonly words: number
}

export interface Chapter {
  readonly title: string
  readonly text: string
  readonly words: number
}

/** Somebody has deleted the book. It will not come back by trying again. */
export class BookGoneError extends UnrecoverableError {
  override readonly name = 'BookGoneError'

  constructor(bookId: string) {
    super(`The book ${bookId} is not on the shelf any more.`)
  }
}

const TABLES = `
  CREATE TABLE IF NOT EXISTS books (
    id TEXT PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN ('UPLOADED', 'READING', 'READY')),
    epub BLOB NOT NULL,
    title TEXT,
    words INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE IF NOT EXISTS chapters (
    book TEXT NOT NULL REFERENCES books (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    words INTEGER NOT NULL,
    PRIMARY KEY (book, position)
  ) STRICT;
`

export class Shelf implements Disposable {
  readonly #db: DatabaseSync

  /** @param file the database; `:memory:` for one that is gone at the end */
  constructor(file: string) {
    this.#db = new DatabaseSync(file)
    this.#db.exec('PRAGMA foreign_keys = ON')
    this.#db.exec(TABLES)
  }

  add(id: string, epub: Uint8Array): void {
    this.#db.prepare("INSERT INTO books (id, status, epub) VALUES (?, 'UPLOADED', ?)").run(id, epub)
  }

  delete(id: string): void {
    this.#db.prepare('DELETE FROM books WHERE id = ?').run(id)
  }

  /** @throws BookGoneError */
  book(id: string): Book {
    const row = this.#db.prepare('SELECT id, status, title, words FROM books WHERE id = ?').get(id)
    if (row === undefined) throw new BookGoneError(id)
    const { status, title, words } = row
    return { id, status: status as BookStatus, title: title === null ? null : String(title), words: Number(words) }
  }

  /** The file as it was uploaded. @throws BookGoneError */
  epub(id: string): Uint8Array {
    const row = this.#db.prepare('SELECT epub FROM books WHERE id = ?').get(id)
    if (row === undefined) throw new BookGoneError(id)
    return row['epub'] as Uint8Array
  }

  /** @throws BookGoneError */
  beginReading(id: string): void {
    this.#update(id, "UPDATE books SET status = 'READING' WHERE id = ?", [id])
  }

  /** Once more changes nothing, so that a phase that is run again does no harm. @throws BookGoneError */
  putChapter(id: string, position: number, { title, text, words }: Chapter): void {
    this.book(id)
    this.#db
      .prepare('INSERT OR REPLACE INTO chapters (book, position, title, text, words) VALUES (?, ?, ?, ?, ?)')
      .run(id, position, title, text, words)
  }

  chapters(id: string): readonly Chapter[] {
    const rows = this.#db.prepare('SELECT title, text, words FROM chapters WHERE book = ? ORDER BY position').all(id)
    return rows.map(({ title, text, words }) => ({ title: String(title), text: String(text), words: Number(words) }))
  }

  /** The book may be read by everybody. @throws BookGoneError */
  publish(id: string, title: string, words: number): void {
    this.#update(id, "UPDATE books SET status = 'READY', title = ?, words = ? WHERE id = ?", [title, words, id])
  }

  [Symbol.dispose](): void {
    this.#db.close()
  }

  #update(id: string, sql: string, values: readonly (string | number)[]): void {
    if (this.#db.prepare(sql).run(...values).changes === 0) throw new BookGoneError(id)
  }
}
