/** A module as `millrace work` takes it. */
import { writeSync } from 'node:fs'

import { defineJob, handle } from 'millrace'
import type { Handler } from 'millrace'

const sendMail = defineJob('mail.send', { service: 'mailers' })
const writeBook = defineJob('book.write', { service: 'mailers', phases: ['plan', 'write'] })
const lose = defineJob('mail.lose', { service: 'mailers', retry: { maxAttempts: 1 } })
const hang = defineJob('mail.hang', { service: 'mailers' })

export const sendMailHandler: Handler = handle(sendMail, ({ input }) => ({ sent: input as string }))

const hangHandler = handle(hang, async () => {
  writeSync(process.stdout.fd, 'hanging\n')
  await Promise.withResolvers<void>().promise
})

export const handlers: readonly Handler[] = [
  handle(writeBook)
    .phase('plan', () => ({ chapters: 2 }))
    .phase('write', async ({ artifact, results, progress }) => {
      progress(50)
      await artifact.write('book.txt', `chapters: ${results.plan.chapters}`)
      return { written: true }
    }),
  handle(lose, () => {
    throw new TypeError('the letter is lost')
  }),
  hangHandler,
]

export const exampleJobs = [{ definition: writeBook, input: { title: 'Mills' }, key: 'first-book' }]
