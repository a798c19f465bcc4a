/** A job as `millrace show` draws it: lines for a terminal. */
import type { Artifact, Job, JobAttempt, JobError, JobEvent, JobPhase, Json, PhaseState } from '../index.ts'
import { actText } from './last-act.ts'
import { bar, formatAge, formatMoment, formatSize, formatSpan } from './moments.ts'
import { clipped, printable, printableLines } from './printable.ts'
import type { Screen, Style } from './screen.ts'
import { STATE_STYLES } from './state-style.ts'
import { tableLines } from './table.ts'

export interface ArtifactOnPage extends Artifact {
  /** Whether its bytes are. */
  readonly isThere: boolean
  /** The file that they are in; null: none, or they are in the database. */
  readonly path: string | null
}

export interface JobPage {
  readonly job: Job<undefined>
  readonly artifacts: readonly ArtifactOnPage[]
  /** By which a person had it run; null: by none. */
  readonly lastAct: JobEvent | null
  readonly now: number
}

type Look = Pick<Screen, 'width' | 'paint'>

/** Where nobody looks there is no width; rules and bars are drawn as if for this one. */
const PLAIN_WIDTH = 100
const INDENT = '  '

export function jobLines(page: JobPage, look: Look): readonly string[] {
  const { job } = page
  return [
    ...headLines(page, look),
    ...section(look, 'Phases', phaseLines(page, look)),
    ...section(look, 'Attempts', attemptLines(page, look)),
    ...section(look, 'Error', errorLines(job.error, look)),
    ...section(look, 'Artifacts', artifactLines(page, look)),
    ...section(look, 'Input', jsonLines(job.input)),
    ...section(look, 'Output', job.state === 'completed' ? jsonLines(job.output) : []),
  ]
}

function section({ paint }: Look, title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', paint('bold', title), ...lines.map((line) => INDENT + line)]
}

function headLines(page: JobPage, { paint, width }: Look): readonly string[] {
  const { job } = page
  const state = paint(STATE_STYLES[job.state], job.state)
  const room = Math.min(width, PLAIN_WIDTH)
  const percent = `${Math.floor(job.progress)} %`.padStart(6)
  const cells = Math.max(10, room - percent.length)
  return [
    `${paint('bold', printable(job.type))}  ${state}`,
    paint('dim', job.id),
    '',
    `${paint(STATE_STYLES[job.state], bar(job.progress, cells))}${percent}`,
    '',
    ...factLines(factsOf(page), { paint, width: room }),
  ]
}

type Fact = readonly [name: string, told: string | null]

function factsOf({ job, lastAct, now }: JobPage): readonly Fact[] {
  const when = (at: number | null): string | null =>
    at === null ? null : `${formatMoment(at)} (${formatAge(at, now)})`
  const labels = Object.entries(job.labels).map(([name, content]) => `${name}=${printable(content)}`)
  const { worker } = job
  return [
    ['service', job.service ?? 'none yet'],
    ['queue', job.queue === job.type ? null : job.queue],
    ['tenant', job.tenant === '' ? null : printable(job.tenant)],
    ['owner', job.owner === null ? null : printable(job.owner)],
    ['labels', labels.length === 0 ? null : labels.join(', ')],
    ['key', job.key === null ? null : printable(job.key)],
    ['unique', job.unique === null ? null : printable(job.unique)],
    ['priority', job.priority === 0 ? null : `${job.priority}`],
    ['created', when(job.createdAt)],
    ['runs at', job.state === 'scheduled' || job.state === 'retrying' ? when(job.runAt) : null],
    ['started', when(job.startedAt)],
    ['finished', when(job.finishedAt)],
    ['took', spanOf(job)],
    ['tries', triesOf(job)],
    [
      'worker',
      worker === null ? null : `${printable(worker.service)} on ${printable(worker.host)}, process ${worker.pid}`,
    ],
    ['queued', lastAct === null ? null : actText(lastAct, now)],
    ['cancel', cancelOf(job, now)],
  ]
}

function spanOf({ startedAt, finishedAt }: Job): string | null {
  return startedAt === null || finishedAt === null ? null : formatSpan(finishedAt - startedAt)
}

function triesOf({ attempt, failures, generation, policy, strikes, lostAttempts, releasedAttempts }: Job): string {
  const parts = [`${attempt}`, `${failures} of at most ${policy.maxAttempts} failed`]
  if (lostAttempts > 0) parts.push(`${lostAttempts} lost`)
  if (releasedAttempts > 0) parts.push(`${releasedAttempts} given back`)
  if (generation > 1) parts.push(`generation ${generation}`)
  if (strikes > 0) parts.push(`${strikes} of ${policy.maxStrikes} strikes`)
  return parts.join(', ')
}

function cancelOf({ state, cancelRequestedAt, cancelledBy, cancelReason }: Job, now: number): string | null {
  if (cancelRequestedAt === null) return null
  const act = state === 'cancelled' ? 'cancelled' : 'asked to stop'
  const why = cancelReason === null ? '' : `: ${printable(cancelReason)}`
  return `${act} by ${printable(cancelledBy ?? 'system')} ${formatAge(cancelRequestedAt, now)}${why}`
}

const NAME_WIDTH = 10

function factLines(facts: readonly Fact[], { paint, width }: Look): readonly string[] {
  return facts.flatMap(([name, told]) => {
    if (told === null) return []
    return [`${paint('dim', name.padEnd(NAME_WIDTH))}${clipped(told, width - NAME_WIDTH)}`]
  })
}

const PHASE_LOOKS: Readonly<Record<PhaseState, { readonly mark: string; readonly style: Style }>> = {
  pending: { mark: '·', style: 'dim' },
  running: { mark: '▶', style: 'blue' },
  done: { mark: '✔', style: 'green' },
  failed: { mark: '✖', style: 'red' },
  cancelled: { mark: '⊘', style: 'dim' },
}

function phaseLines({ job, now }: JobPage, { paint, width }: Look): readonly string[] {
  const names = Math.max(...job.phases.map(({ name }) => name.length))
  return job.phases.map((phase) => {
    const { mark, style } = PHASE_LOOKS[phase.state]
    const facts = [phase.state.padEnd(9), timeOf(phase, now).padStart(8), ...notesOf(phase)].join('  ')
    const plain = `${mark} ${phase.name.padEnd(names)}  ${facts}`.trimEnd()
    return paint(style, clipped(plain, width - INDENT.length))
  })
}

function timeOf({ state, startedAt, finishedAt }: JobPhase, now: number): string {
  if (startedAt === null) return ''
  if (finishedAt !== null) return formatSpan(finishedAt - startedAt)
  return state === 'running' ? formatSpan(now - startedAt) : ''
}

function notesOf({ attempts, error }: JobPhase): readonly string[] {
  return [...(attempts > 1 ? [`${attempts} attempts`] : []), ...(error === null ? [] : [printable(error.message)])]
}

/** One attempt that went well needs no history. */
function attemptLines({ job, now }: JobPage, { paint, width }: Look): readonly string[] {
  const { attempts } = job
  if (attempts.every(({ error, outcome }) => error === null && (outcome === 'completed' || outcome === 'running')))
    return []
  const rows = attempts.map((attempt) => [
    `${attempt.attempt}`,
    attempt.outcome,
    printable(attempt.phase),
    `${Math.floor(attempt.progress)} %`,
    formatSpan((attempt.endedAt ?? now) - attempt.startedAt),
    stopOf(attempt),
    whyOf(attempt),
  ])
  const columns = [
    { title: '#', align: 'right' },
    { title: 'OUTCOME' },
    { title: 'PHASE' },
    { title: 'AT', align: 'right' },
    { title: 'TOOK', align: 'right' },
    { title: 'STOPPED' },
    { title: 'WHY' },
  ] as const
  return tableLines({ columns, rows, width: width - INDENT.length, paintTitle: (title) => paint('dim', title) })
}

/** What ended the attempt's code, and how long after the attempt, if it ran on. */
function stopOf({ endedAt, stoppedAt, stoppedBy }: JobAttempt): string {
  if (endedAt === null) return ''
  if (stoppedAt === null || stoppedBy === null) return 'not known'
  return stoppedAt > endedAt ? `${stoppedBy} ${formatSpan(stoppedAt - endedAt)} later` : stoppedBy
}

function whyOf({ error }: JobAttempt): string {
  if (error === null) return ''
  const { verdict } = error
  const judged = verdict === null ? '' : ` (${verdict.fatal ? 'fatal' : 'retryable'}: ${verdict.rule})`
  return printable(`${error.name}: ${error.message}${judged}`)
}

const STACK_LINES = 6

function errorLines(error: JobError | null, { paint }: Look): readonly string[] {
  if (error === null) return []
  const { name, message, code, stack, verdict, context } = error
  const trace = (stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  return [
    paint('red', printable(`${name}: ${message}`)),
    ...(code === null ? [] : [`code ${printable(code)}`]),
    ...(verdict === null ? [] : [`${verdict.fatal ? 'fatal' : 'retryable'} by the rule ${printable(verdict.rule)}`]),
    ...(context === null ? [] : [`context ${printable(JSON.stringify(context))}`]),
    ...trace.slice(0, STACK_LINES).map((line) => paint('dim', printable(line.trim()))),
  ]
}

function artifactLines({ artifacts, now }: JobPage, { paint }: Look): readonly string[] {
  return artifacts.flatMap(({ id, name, contentType, sizeBytes, expiresAt, isThere, path }) => {
    const expiry = expiresAt === null ? '' : `, expires ${formatAge(expiresAt, now)}`
    const facts = `${printable(contentType)}, ${formatSize(sizeBytes)}${expiry}`
    const where = path === null ? `in the database: millrace download ${id}` : printable(path)
    return [`${printable(name)}  ${paint('dim', facts)}`, INDENT + (isThere ? where : 'its bytes are gone')]
  })
}

const BODY_LINES = 40

function jsonLines(json: Json): readonly string[] {
  const lines = printableLines(JSON.stringify(json, null, 2)).split('\n')
  if (lines.length <= BODY_LINES) return lines
  return [...lines.slice(0, BODY_LINES), `… ${lines.length - BODY_LINES} more lines; --json has all of them`]
}
