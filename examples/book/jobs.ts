/** What reading a book is: all that a web app needs to have one read. */
import { defineJob } from 'millrace'
import { z } from 'zod'

export const readBook = defineJob('book.read', {
  service: 'library',
  input: z.object({ bookId: z.string() }),
  output: z.object({ bookId: z.string(), title: z.string(), chapters: z.int(), words: z.int() }),
  phases: ['unpack', 'chapters', 'publish'],
  retry: { maxAttempts: 3, backoff: { base: '1s', max: '1m' } },
  timeout: '5m',
})
