/** What applications call, as the compiler sees it. Compiled by `npm run check`, never run: each wrong use stands under an expected error. */
import { z } from 'zod'

import { defineJob } from '../../src/client/define-job.ts'
import type { JobClient } from '../../src/client/job-client.ts'
import type { Millrace } from '../../src/open-millrace.ts'
import type { Json } from '../../src/core/json.ts'

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the compiler compares the two conditions, which nothing else does
type Equal<Left, Right> = (<T>() => T extends Left ? 1 : 2) extends <T>() => T extends Right ? 1 : 2 ? true : false

/** Compiles only where the two types are the same. */
declare function same<Left, Right>(equal: Equal<Left, Right>): void

declare const client: JobClient
declare const mill: Millrace

const exportMap = defineJob('map.export', {
  service: 'workers',
  input: z.object({ region: z.string(), dpi: z.number().default(300) }),
  output: z.object({ file: z.string(), at: z.string().transform((text) => new Date(text)) }),
  phases: ['load', 'render'],
})
const sendMail = defineJob('mail.send', { service: 'workers' })
const drawAt = defineJob('map.date', { service: 'workers', input: z.object({ at: z.date() }) })

export function definitions(): void {
  same<typeof exportMap.name, 'map.export'>(true)
  same<typeof exportMap.phases, readonly ['load', 'render']>(true)
  same<typeof sendMail.phases, readonly ['run']>(true)
  same<typeof sendMail.input, undefined>(true)
  // @ts-expect-error -- every type has a service
  defineJob('map.print', {})
  // @ts-expect-error -- an option of another name
  defineJob('map.print', { service: 'workers', retries: 3 })
  // @ts-expect-error -- a duration needs a unit
  defineJob('map.print', { service: 'workers', timeout: '5 minutes' })
  // @ts-expect-error -- a schema speaks Standard Schema
  defineJob('map.print', { service: 'workers', input: { parse: () => 1 } })
}

export async function enqueueing(): Promise<void> {
  const { job } = await client.enqueue(exportMap, { region: 'FRA' })
  same<typeof job.definition, typeof exportMap>(true)
  await client.enqueue(exportMap, { region: 'FRA', dpi: 72 }, { key: 'order-7', delay: '5m', runAt: new Date() })
  await client.enqueue(sendMail)
  await client.enqueue(sendMail, { to: ['ann'] }, { tenant: 'acme' })
  await client.enqueue('map.export', { anything: true }, { priority: 1 })
  // @ts-expect-error -- the input is not optional
  await client.enqueue(exportMap)
  // @ts-expect-error -- a property is missing
  await client.enqueue(exportMap, {})
  // @ts-expect-error -- a property is of another type
  await client.enqueue(exportMap, { region: 7 })
  // @ts-expect-error -- what goes in is not what comes out: a Date is not JSON
  await client.enqueue(drawAt, { at: new Date() })
  // @ts-expect-error -- an option of another name
  await client.enqueue(sendMail, null, { piority: 1 })
}

export async function enqueueingMany(): Promise<void> {
  const [map, mail] = await client.enqueueMany([
    { definition: exportMap, input: { region: 'FRA' }, key: 'order-7' },
    { definition: 'mail.send', input: 7 },
  ])
  same<typeof map.job.definition, typeof exportMap>(true)
  same<typeof mail.job.definition, undefined>(true)
  const regions: readonly string[] = ['FRA', 'ITA']
  const many = await client.enqueueMany(regions.map((region) => ({ definition: exportMap, input: { region } })))
  for (const { job } of many) same<typeof job.definition, typeof exportMap>(true)
  // @ts-expect-error -- a property is of another type
  await client.enqueueMany([{ definition: exportMap, input: { region: 7 } }])
}

export async function reading(id: string): Promise<void> {
  const { job } = await client.enqueue(exportMap, { region: 'FRA' })
  const typed = await client.get(job)
  same<typeof typed.output, { file: string; at: Date } | null>(true)
  const named = await client.waitFor({ id, definition: exportMap }, { timeout: '1m', state: ['completed', 'failed'] })
  same<typeof named.output, { file: string; at: Date } | null>(true)
  const untyped = await client.get(id)
  same<typeof untyped.output, Json>(true)
  const again = await client.get(typed)
  same<typeof again.output, Json>(true)
  const mail = await client.enqueue(sendMail)
  const sent = await client.get(mail.job)
  same<typeof sent.output, Json>(true)
  const file = await client.run(exportMap, { region: 'FRA' }, { timeout: 'none' })
  same<typeof file, { file: string; at: Date }>(true)
  // @ts-expect-error -- a job is changed by commands alone
  typed.state = 'completed'
  // @ts-expect-error -- "processing" is no state of a job
  await client.waitFor(id, { state: 'processing' })
  // @ts-expect-error -- nor is it one to list
  await client.list({ state: 'processing' })
  // @ts-expect-error -- a retry starts at a phase by name
  await client.retry(id, { from: 2 })
}

type OperatorActs =
  | 'pauseQueue'
  | 'resumeQueue'
  | 'queues'
  | 'workers'
  | 'work'
  | 'maintenance'
  | 'enqueueIn'
  | 'transaction'
  | 'as'
  | 'close'

export async function actingAsUsers(id: string): Promise<void> {
  const ann = mill.as({ tenant: 'acme', user: 'ann', role: 'member' })
  same<typeof ann, JobClient>(true)
  const { job } = await ann.enqueue(exportMap, { region: 'FRA' })
  same<typeof job.definition, typeof exportMap>(true)
  mill.as({ user: 'olga', role: 'operator' })
  // @ts-expect-error -- an operator is above tenants
  mill.as({ tenant: 'acme', user: 'olga', role: 'operator' })
  // @ts-expect-error -- whoever is not, is of one
  mill.as({ user: 'ann', role: 'member' })
  // @ts-expect-error -- somebody acts
  mill.as({ tenant: 'acme', role: 'admin' })
  // @ts-expect-error -- a role of another name
  mill.as({ tenant: 'acme', user: 'ann', role: 'owner' })
  // None of the acts of an operator, nor any other way out of what the user may do.
  same<Extract<keyof typeof ann, OperatorActs>, never>(true)
  same<Exclude<OperatorActs, keyof typeof mill>, never>(true)
  // @ts-expect-error -- an act by force needs a reason
  await mill.forceFail(id, {})
}

export async function cancellingMany(): Promise<void> {
  const { waiting, running } = await client.cancelMany({ type: exportMap }, { preview: true })
  same<typeof waiting, number>(true)
  same<typeof running, number>(true)
  const { cancelled } = await client.cancelMany({ type: exportMap }, { reason: 'wrong region' })
  same<typeof cancelled, number>(true)
  const either = await client.cancelMany({ tenant: 'acme' }, { preview: waiting > 0 })
  same<typeof either.preview, boolean>(true)
  // @ts-expect-error -- a state that no job can be in
  await client.cancelMany({ state: 'processing' })
}
