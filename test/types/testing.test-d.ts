/** What must not compile about the test kit. Each wrong use stands under an expected error; `tsc` fails where it would compile. */
import { z } from 'zod'
import { defineJob, handle } from '../../src/index.ts'
import type { Handler, Json } from '../../src/index.ts'
import { openTestMill, runJob, runPhase } from '../../src/testing/index.ts'

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- two such functions are alike only if A and B are
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function same<A, B>(equal: Equal<A, B>): void

const sendMail = defineJob('mail.send', { service: 'mail', input: z.object({ to: z.string() }) })
const mailer = handle(sendMail, ({ input }) => ({ sentTo: input.to }))
const exportMap = defineJob('map.export', {
  service: 'maps',
  input: z.object({ region: z.string(), width: z.coerce.number<string>() }),
  output: z.object({ file: z.string() }),
  phases: ['load', 'render'],
})
interface Country {
  readonly name: string
}
const exporter = handle(exportMap)
  .phase('load', ({ input }): Country[] => [{ name: input.region }])
  .phase('render', ({ results }) => ({ file: `${results.load.length}.png` }))
const kit = await openTestMill()

// The output of a job is what its definition says, and its input what a producer writes.
const { job } = await runJob(exporter, { region: 'FRA', width: '210' }, { owner: 'ann' })
same<typeof job.output, { file: string } | null>(true)
const again = await kit.runJob(exporter, { region: 'FRA', width: '210' })
same<typeof again.job.output, { file: string } | null>(true)
// @ts-expect-error -- a part of the input is missing
await runJob(exporter, { region: 'FRA' })
// @ts-expect-error -- there is no such option
await kit.runJob(exporter, { region: 'FRA', width: '210' }, { urgent: true })
// @ts-expect-error -- the definition has a schema, so there must be an input
await runJob(mailer)

// The result of a phase is what its function returns.
const loaded = await runPhase(exporter, 'load', { input: { region: 'FRA', width: '210' } })
same<typeof loaded.result, Country[]>(true)
const rendered = await runPhase(exporter, 'render', {
  input: { region: 'FRA', width: '210' },
  results: { load: loaded.result },
})
same<typeof rendered.result, { file: string }>(true)
const sent = await runPhase(mailer, 'run', { input: { to: 'ann' } })
same<typeof sent.result, { sentTo: string }>(true)
// @ts-expect-error -- there is no such phase
await runPhase(exporter, 'store', { input: { region: 'FRA', width: '210' } })
// @ts-expect-error -- not what the phase before returns
await runPhase(exporter, 'render', { input: { region: 'FRA', width: '210' }, results: { load: 'FRA' } })
// @ts-expect-error -- the input is missing
await runPhase(exporter, 'load', {})
const begun = handle(exportMap).phase('load', () => null)
// @ts-expect-error -- the phase 'render' has no function yet
await runPhase(begun, 'load', { input: { region: 'FRA', width: '210' } })

// A handler whose type is not known is taken as it is.
declare const some: Handler
const any = await runPhase(some, 'whatever', {})
same<typeof any.result, Json>(true)

// An input is compared by the members that are named.
await kit.assertEnqueued(sendMail, { input: {} })
await kit.assertEnqueued(exportMap, { input: { region: 'FRA' }, count: 1 })
// @ts-expect-error -- the input has no such member
await kit.assertEnqueued(sendMail, { input: { from: 'ann' } })
// @ts-expect-error -- a refutation has no count
await kit.refuteEnqueued(sendMail, { count: 1 })
