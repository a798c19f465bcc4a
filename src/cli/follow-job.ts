/** Shows a job phase by phase until it is over: lines that redraw themselves in a terminal, one line for each change elsewhere. */
import { FINAL_STATES } from '../index.ts'
import type { JobEvent, ListedJob, Millrace } from '../index.ts'
import { liveLines } from './live-lines.ts'
import { bar, formatSpan } from './moments.ts'
import { afterEvent, pendingPhases } from './phase-progress.ts'
import type { PhaseLine } from './phase-progress.ts'
import { clipped, printable } from './printable.ts'
import type { Screen } from './screen.ts'

/** Where lines go: while a job is followed in a terminal above its own, so that they are not torn apart. */
export interface Outlet {
  print: (line: string) => void
  /** A terminal shows how a job comes along. */
  following: boolean
}

const FINAL_EVENTS: ReadonlySet<string> = new Set(FINAL_STATES.map((state) => `job:${state}`))

/** Resolves once the job is over, and everything up to then has been shown. */
export async function followJob(mill: Millrace, screen: Screen, job: ListedJob, outlet: Outlet): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const drawing = screen.isTerminal ? liveDrawing(screen, outlet) : plainDrawing(screen)
  let phases = pendingPhases(job.phaseNames)
  const listener = (event: JobEvent): void => {
    const before = phases
    phases = afterEvent(phases, event)
    drawing.show(phases, before)
    if (FINAL_EVENTS.has(event.name) && event.seq >= job.eventSeq) resolve()
  }
  drawing.show(phases, phases)
  const unsubscribe = await mill.subscribe(listener, { job, after: 0 })
  try {
    // The wait is what keeps the process alive, and what throws when the Millrace is closed meanwhile.
    await mill.waitFor(job, { timeout: 'none' })
    await over
  } finally {
    unsubscribe()
    drawing.end()
  }
}

interface Drawing {
  readonly show: (phases: readonly PhaseLine[], before: readonly PhaseLine[]) => void
  readonly end: () => void
}

function liveDrawing(screen: Screen, outlet: Outlet): Drawing {
  const lines = liveLines((text) => void process.stdout.write(text))
  const { print } = outlet
  outlet.print = lines.above
  return {
    show: (phases) => lines.draw(phases.map((phase) => liveLine(phase, phases, screen))),
    end: () => {
      outlet.print = print
      lines.end()
    },
  }
}

const LOOKS = {
  pending: ['·', 'dim'],
  running: ['▶', 'blue'],
  done: ['✔', 'green'],
  failed: ['✖', 'red'],
  cancelled: ['⊘', 'dim'],
} as const

const BAR_CELLS = 24

function liveLine(phase: PhaseLine, phases: readonly PhaseLine[], screen: Screen): string {
  const [mark, style] = LOOKS[phase.state]
  const name = phase.name.padEnd(Math.max(...phases.map((each) => each.name.length)))
  const told = phase.state === 'running' ? runningTold(phase) : endTold(phase)
  return screen.paint(style, clipped(`  ${mark} ${name}  ${told}`.trimEnd(), screen.width - 1))
}

function runningTold({ percent }: PhaseLine): string {
  return `${bar(percent, BAR_CELLS)} ${Math.floor(percent)} %`
}

function endTold({ state, startedAt, finishedAt, error }: PhaseLine): string {
  if (error !== null) return printable(error)
  if (state !== 'done' || startedAt === null || finishedAt === null) return ''
  return formatSpan(finishedAt - startedAt)
}

function plainDrawing(screen: Screen): Drawing {
  return {
    show: (phases, before) => {
      phases.forEach((phase, index) => {
        if (phase.state !== before[index]?.state) screen.print(plainLine(phase))
      })
    },
    end: () => undefined,
  }
}

function plainLine(phase: PhaseLine): string {
  return [`${phase.name}:`, phase.state, endTold(phase)].filter((part) => part !== '').join(' ')
}
