/** What may not be handed in where jobs are read, acted on and worked on, and by what it is refused. */
import { handle } from '../../src/index.ts'
import { door, order } from './bad-enqueues.ts'
import type { Door } from './bad-enqueues.ts'

/** Of no job. */
export const ID = '019b7613-6800-7000-8000-00000000dead'

export const READ_AND_ACT_DOORS: readonly Door[] = [
  door('a job that is nothing', 'option-invalid', 'job', (mill) => mill.get(undefined as never)),
  door('a job that is a number', 'option-invalid', 'job', (mill) => mill.cancel(7 as never)),
  door('an object without an id', 'option-invalid', 'job', (mill) => mill.retry({} as never)),
  door('list with a limit of 0', 'option-invalid', 'limit', (mill) => mill.list({ limit: 0 })),
  door('list with a limit beyond', 'option-invalid', 'limit', (mill) => mill.list({ limit: 501 })),
  door('list of a state that is none', 'option-invalid', 'state', (mill) => mill.list({ state: 'done' as never })),
  door('list of no state', 'option-invalid', 'state', (mill) => mill.list({ state: [] })),
  door('list of a type that is none', 'name-invalid', 'type', (mill) => mill.list({ type: 'a b' })),
  door('list after nothing', 'option-invalid', 'after', (mill) => mill.list({ after: '' })),
  door('list by a label that is empty', 'option-invalid', 'labels.course', (mill) =>
    mill.list({ labels: { course: '' } }),
  ),
  door('list with a misspelt option', 'option-invalid', 'options.states', (mill) =>
    mill.list({ states: 'queued' } as never),
  ),
  door('counts with a misspelt option', 'option-invalid', 'options.kind', (mill) =>
    mill.counts({ kind: 'x' } as never),
  ),
  door('events after a fraction', 'option-invalid', 'after', (mill) => mill.events({ after: 0.5 })),
  door('events with a limit beyond', 'option-invalid', 'limit', (mill) => mill.events({ limit: 1_000 })),
  door('subscribe without a listener', 'option-invalid', 'listener', (mill) => mill.subscribe(null as never)),
  door('subscribe after a text', 'option-invalid', 'after', (mill) =>
    mill.subscribe(() => null, { after: '1' as never }),
  ),
  door('subscribe with a misspelt option', 'option-invalid', 'options.jobs', (mill) =>
    mill.subscribe(() => null, { jobs: [] } as never),
  ),
  door('waitFor a state that is none', 'option-invalid', 'state', (mill) =>
    mill.waitFor(ID, { state: 'over' as never }),
  ),
  door('waitFor a negative time', 'option-invalid', 'timeout', (mill) => mill.waitFor(ID, { timeout: -5 })),
  door('cancel by nobody', 'option-invalid', 'actor', (mill) => mill.cancel(ID, { actor: '' })),
  door('cancel for a reason that is too long', 'too-large', 'reason', (mill) =>
    mill.cancel(ID, { reason: 'r'.repeat(1_001) }),
  ),
  door('cancel with a misspelt option', 'option-invalid', 'options.by', (mill) =>
    mill.cancel(ID, { by: 'ann' } as never),
  ),
  door('retry with a flag that is none', 'option-invalid', 'fromStart', (mill) =>
    mill.retry(ID, { fromStart: 'yes' as never }),
  ),
  door('retry from a phase that is no name', 'name-invalid', 'from', (mill) => mill.retry(ID, { from: 'a b' })),
  door('cancelMany of nothing in particular', 'option-invalid', 'filter', (mill) => mill.cancelMany({})),
  door('cancelMany of what is over', 'option-invalid', 'state', (mill) => mill.cancelMany({ state: 'failed' })),
  door('cancelMany with a misspelt option', 'option-invalid', 'options.dryRun', (mill) =>
    mill.cancelMany({ type: 'bread' }, { dryRun: true } as never),
  ),
  door('forceFail without a reason', 'option-invalid', 'reason', (mill) => mill.forceFail(ID, {} as never)),
  door('forceFail by nobody', 'option-invalid', 'actor', (mill) => mill.forceFail(ID, { reason: 'r', actor: '' })),
  door('forceReset for a reason that is too long', 'too-large', 'reason', (mill) =>
    mill.forceReset(ID, { reason: 'r'.repeat(1_001) }),
  ),
  door('forceReset with a flag that is none', 'option-invalid', 'keepPhases', (mill) =>
    mill.forceReset(ID, { reason: 'r', keepPhases: 1 as never }),
  ),
  door('audit with a limit of 0', 'option-invalid', 'limit', (mill) => mill.audit({ limit: 0 })),
  door('audit of a job that is a number', 'option-invalid', 'job', (mill) => mill.audit({ job: 7 as never })),
  door('a client of a role that is none', 'option-invalid', 'role', async (mill) =>
    mill.as({ tenant: 'acme', user: 'ann', role: 'root' as never }),
  ),
  door('a client of no tenant', 'option-invalid', 'tenant', async (mill) =>
    mill.as({ tenant: '', user: 'ann', role: 'admin' }),
  ),
  door('pause of a queue that is no name', 'name-invalid', 'queue', (mill) => mill.pauseQueue('a/b')),
  door('pause by nobody', 'option-invalid', 'actor', (mill) => mill.pauseQueue('paper', { actor: '' })),
  door('resume of a queue that is no name', 'name-invalid', 'queue', (mill) => mill.resumeQueue('')),
  door('the owner of a type that is no name', 'name-invalid', 'type', (mill) => mill.getJobOwner('a b')),
  door('processors of a type that is no name', 'name-invalid', 'type', (mill) => mill.getProcessorsByJobType('')),
  door('processors of a service that is no name', 'name-invalid', 'service', (mill) =>
    mill.getProcessorsByJobType('order.print', 'a b'),
  ),
  door('a hand-over of a type that is no name', 'name-invalid', 'type', (mill) =>
    mill.transferOwner('a b', { from: 'shop', to: 'press' }),
  ),
  door('a hand-over from nobody', 'name-invalid', 'from', (mill) =>
    mill.transferOwner('order.print', { to: 'press' } as never),
  ),
  door('a hand-over to itself', 'option-invalid', 'to', (mill) =>
    mill.transferOwner('order.print', { from: 'shop', to: 'shop' }),
  ),
  door('a hand-over by nobody', 'option-invalid', 'actor', (mill) =>
    mill.transferOwner('order.print', { from: 'shop', to: 'press', actor: '' }),
  ),
  door('a hand-over with a misspelt option', 'option-invalid', 'options.why', (mill) =>
    mill.transferOwner('order.print', { from: 'shop', to: 'press', why: 'x' } as never),
  ),
  door('openArtifact of nothing', 'option-invalid', 'artifactId', (mill) => mill.openArtifact('')),
]

const handler = handle(order, () => null)

export const WORK_DOORS: readonly Door[] = [
  door('no handlers', 'option-invalid', 'handlers', (mill) => mill.work([])),
  door('two handlers of one type', 'option-invalid', 'handlers', (mill) => mill.work([handler, handler])),
  door('no concurrency', 'option-invalid', 'concurrency', (mill) => mill.work([handler], { concurrency: 0 })),
  door('half a slot', 'option-invalid', 'concurrency', (mill) => mill.work([handler], { concurrency: 1.5 })),
  door('too much concurrency', 'option-invalid', 'concurrency', (mill) =>
    mill.work([handler], { concurrency: 10_001 }),
  ),
  door('a lease that is too short', 'option-invalid', 'lease', (mill) => mill.work([handler], { lease: 99 })),
  door('a lease that is none', 'option-invalid', 'lease', (mill) => mill.work([handler], { lease: 'long' as never })),
  door('a drain that is none', 'option-invalid', 'drain', (mill) => mill.work([handler], { drain: 'soon' as never })),
  door('negative slots', 'option-invalid', 'maxAbandonedSlots', (mill) =>
    mill.work([handler], { maxAbandonedSlots: -1 }),
  ),
  door('handlers that are none', 'option-invalid', 'handlers', (mill) => mill.work(null as never)),
  door('a handler that is none', 'option-invalid', 'handlers[1]', (mill) => mill.work([handler, null as never])),
  door('a handler without its functions', 'option-invalid', 'handlers[0]', (mill) =>
    mill.work([{ definition: order } as never]),
  ),
  door('a misspelt option', 'option-invalid', 'options.concurency', (mill) =>
    mill.work([handler], { concurency: 8 } as never),
  ),
]
