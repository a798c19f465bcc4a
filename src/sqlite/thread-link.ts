/**
 * A host on a thread of its own. The thread keeps the process alive exactly while something is asked of it: an unreferenced thread once
 * lost a commit that was pending at exit.
 */
import { Worker } from 'node:worker_threads'
import { MillraceError } from '../core/errors.ts'
import { NEVER, settlesBefore } from '../runtime/pause.ts'
import { systemRuntime } from '../runtime/system-runtime.ts'
import type { HostOptions } from './host.ts'
import type { Link, LinkEvents } from './link.ts'
import { LOCK_PATIENCE_MS } from './locks.ts'
import { PROTOCOL, answersOf, countAnswers, flattenCalls } from './messages.ts'
import { SyncLine, openLine } from '../runtime/sync-line.ts'
import type { Answered, AnswersMessage, FromThread, NumberedCall, ThreadData, ToThread } from './messages.ts'
import type { Answer, Arguments, OperationName, ReadName } from './operations.ts'
import { unpackError } from './packed-error.ts'
import { countCalls } from './packed-runs.ts'
import type { PackedRuns } from './packed-runs.ts'
import { storeClosed } from '../store/refusals.ts'
import { asItIs, resolveUnpacked } from './unpacking.ts'
import type { Unpacking } from './unpacking.ts'

/** A larger message holds up the thread that posts it, and the one that reads it, for too long. */
const CALLS_A_MESSAGE = 250
/** What is answered in one turn: whoever waits for an answer has work to do with it, and timers and requests want their turn too. */
const ANSWERS_A_TURN = 250
/**
 * More answers than this are given in two turns at least. Callers who call again as soon as they are answered would else all wait for one
 * commit, and then the thread for all of them; in two halves the one half is written while the other is told.
 */
const ANSWERS_IN_ONE = 64

interface Pending extends Unpacking {
  /** How many usual answers its answer weighs. */
  readonly weigh: Weigh
}

/** Undefined: it was refused. */
type Weigh = (answer: unknown) => number

const asOne: Weigh = () => 1

/** Its jobs are not counted: one that brings any fills a turn. */
function weighClaim(answer: unknown): number {
  const claim = answer as Partial<Answer<'claims.claim'>> | undefined
  return (claim?.pages ?? []).length === 0 ? 1 : ANSWERS_A_TURN
}

function weigher(name: OperationName, args: unknown): Weigh {
  if (name === 'claims.claim') return weighClaim
  if (name !== 'claims.apply') return asOne
  // Those of a turn are answered to as many attempts.
  const calls = countCalls(args as PackedRuns)
  return calls === 1 ? asOne : () => calls
}

export class ThreadLink implements Link {
  readonly #worker: Worker
  readonly #events: LinkEvents
  readonly #runtime = systemRuntime()
  readonly #line: SyncLine | null
  readonly #pending = new Map<number, Pending>()
  /** Reasons to keep the process alive: pending calls, a pause, a close. */
  #holds = 0
  #outgoing: NumberedCall[] = []
  /** Messages that wait for their turn. */
  readonly #incoming: FromThread[] = []
  /** What is left of the first of them. */
  #answering: { readonly answers: ReturnType<typeof answersOf>; left: number } | null = null
  /** How much may still be answered in this turn of the event loop, in which several messages may come; null: the next message begins a turn. */
  #budget: number | null = null
  #lastNumber = 0
  #pausing: Pick<Pending, 'resolve' | 'reject'> | null = null
  #broken: MillraceError | null = null
  #closing: Promise<void> | null = null
  #onClosed: () => void = () => undefined
  sqliteVersion = ''

  private constructor(threadFile: URL, options: Omit<HostOptions, 'patienceMs'>, events: LinkEvents) {
    const line = options.role === 'reader' ? openLine() : null
    const data: ThreadData = { ...options, patienceMs: LOCK_PATIENCE_MS, protocol: PROTOCOL, line: line?.far ?? null }
    // Flags of the main thread (a loader, a debugger) have no business in this one.
    this.#worker = new Worker(threadFile, {
      workerData: data,
      execArgv: [],
      name: `millrace ${options.role}`,
      transferList: line === null ? [] : [line.far.port],
    })
    this.#line = line === null ? null : new SyncLine(line.near)
    this.#events = events
  }

  static async open(
    threadFile: URL,
    options: Omit<HostOptions, 'patienceMs'>,
    events: LinkEvents,
  ): Promise<ThreadLink> {
    const link = new ThreadLink(threadFile, options, events)
    await link.#started()
    link.#worker.unref()
    return link
  }

  #started(): Promise<void> {
    const worker = this.#worker
    return new Promise((resolve, reject) => {
      worker.once('error', (error) => reject(notStarted(error)))
      worker.once('exit', () => reject(notStarted(new Error('it ended without a word'))))
      worker.once('message', (message: FromThread) => {
        worker.removeAllListeners('error')
        worker.removeAllListeners('exit')
        if (message.kind === 'ready') {
          this.#listen(message.sqliteVersion)
          resolve()
          return
        }
        void worker.terminate()
        reject(
          message.kind === 'refused' ? unpackError(message.error) : notStarted(new Error('it said something else')),
        )
      })
    })
  }

  #listen(sqliteVersion: string): void {
    this.sqliteVersion = sqliteVersion
    this.#worker.on('message', (message: FromThread) => {
      this.#incoming.push(message)
      this.#takeTurn()
    })
    // An error is followed by the end, before which all that the thread has said arrives: what it has answered is so.
    let thrown: unknown = null
    this.#worker.on('error', (error) => {
      thrown = error
    })
    this.#worker.on('exit', () => this.#ended(thrown))
  }

  call<Name extends OperationName, Unpacked = Answer<Name>>(
    name: Name,
    args: Arguments<Name>,
    unpack?: (answer: Answer<Name>) => Unpacked,
  ): Promise<Unpacked> {
    const refusal = this.#refusal()
    if (refusal !== null) return Promise.reject(refusal)
    return new Promise<Unpacked>((resolve, reject) => {
      this.#lastNumber += 1
      this.#hold()
      const weigh = weigher(name, args)
      this.#pending.set(this.#lastNumber, { resolve, reject, weigh, unpack: unpack ?? asItIs } as Pending)
      this.#outgoing.push({ number: this.#lastNumber, name, args })
      if (this.#outgoing.length === 1) queueMicrotask(() => this.#flush())
    })
  }

  ask<Name extends ReadName>(name: Name, args: Arguments<Name>): Answer<Name> | undefined {
    if (this.#refusal() !== null) return undefined
    return this.#line?.ask({ name, args }) as Answer<Name> | undefined
  }

  #refusal(): MillraceError | null {
    return this.#broken ?? (this.#closing === null ? null : storeClosed())
  }

  #hold(): void {
    this.#holds += 1
    if (this.#holds === 1) this.#worker.ref()
  }

  #release(): void {
    this.#holds -= 1
    if (this.#holds === 0) this.#worker.unref()
  }

  #flush(): void {
    const calls = this.#outgoing
    this.#outgoing = []
    for (let start = 0; start < calls.length; start += CALLS_A_MESSAGE) {
      this.#postCalls(calls.slice(start, start + CALLS_A_MESSAGE))
    }
  }

  #postCalls(calls: readonly NumberedCall[]): void {
    try {
      this.#post({ kind: 'calls', calls: flattenCalls(calls) })
    } catch (cause) {
      // Something in it can't be posted: only the call it belongs to is refused.
      for (const call of calls.length === 1 ? [] : calls) this.#postCalls([call])
      const [only] = calls
      if (calls.length === 1 && only !== undefined) this.#refuse(only, cause)
    }
  }

  #refuse({ number, name }: NumberedCall, cause: unknown): void {
    const error = new MillraceError('internal', `A call of ${name} could not be posted to the store's thread.`, {
      cause,
    })
    this.#pending.get(number)?.reject(error)
    this.#pending.delete(number)
    this.#release()
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message)
  }

  /** Works on messages in their order, until there are none or so much has been answered in this turn that others should get theirs. */
  #takeTurn(): void {
    this.#budget ??= this.#beginTurn()
    while (this.#budget > 0) {
      const [message] = this.#incoming
      if (message === undefined) return
      if (message.kind === 'answers') this.#budget = this.#answerSome(message, this.#budget)
      else {
        this.#incoming.shift()
        this.#receive(message)
      }
    }
  }

  /** It begins with a message, and lasts until the event loop has been all the way round: before the first `after`, timers have no turn. */
  #beginTurn(): number {
    this.#runtime.after(0, () => this.#runtime.after(0, () => this.#endTurn()))
    return ANSWERS_A_TURN
  }

  #endTurn(): void {
    this.#budget = null
    if (this.#incoming.length === 0) return
    // The next one begins here, and from here it is one `after` all the way round.
    this.#budget = ANSWERS_A_TURN
    this.#runtime.after(0, () => this.#endTurn())
    this.#takeTurn()
  }

  /** How much may still be answered in this turn. */
  #answerSome({ answers, changed }: AnswersMessage, left: number): number {
    const count = countAnswers(answers)
    this.#answering ??= { answers: answersOf(answers), left: count }
    const answering = this.#answering
    let share = Math.min(left, Math.max(ANSWERS_IN_ONE, Math.ceil(count / 2)))
    const rest = left - share
    while (share > 0 && answering.left > 0) {
      const { value: answer } = answering.answers.next()
      answering.left -= 1
      if (answer !== undefined) share -= this.#settle(answer)
    }
    if (answering.left > 0) return 0
    this.#answering = null
    this.#incoming.shift()
    if (changed) this.#events.onCommit()
    return rest + share
  }

  #receive(message: Exclude<FromThread, AnswersMessage>): void {
    switch (message.kind) {
      case 'foreign-commit':
        this.#events.onCommit()
        return
      case 'session-lost':
        this.#events.onSessionLost(message.holder)
        return
      case 'paused':
        this.#pausing?.resolve(undefined)
        this.#pausing = null
        return
      case 'closed':
        this.#onClosed()
        return
      case 'ready':
      case 'refused':
    }
  }

  /** What it weighed. */
  #settle({ number, outcome }: Answered): number {
    const pending = this.#pending.get(number)
    if (pending === undefined) return 0
    this.#pending.delete(number)
    this.#release()
    const answer = 'error' in outcome ? undefined : outcome.answer
    if ('error' in outcome) pending.reject(outcome.error)
    else resolveUnpacked(pending, answer)
    return pending.weigh(answer)
  }

  #break(cause: unknown): void {
    if (this.#broken !== null) return
    const broken = new MillraceError(
      'internal',
      'The thread of the store has died. Open a new Millrace, and please report this.',
      { cause },
    )
    this.#giveUp(broken)
    this.#events.onBroken(broken)
  }

  /** Whoever waits is told, and nobody is answered any more. */
  #giveUp(error: MillraceError): void {
    this.#broken = error
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
    this.#pausing?.reject(error)
    this.#pausing = null
  }

  #ended(thrown: unknown): void {
    while (this.#incoming.length > 0) {
      this.#budget = Number.POSITIVE_INFINITY
      this.#takeTurn()
    }
    this.#onClosed()
    const expected = thrown === null && this.#closing !== null && this.#pending.size === 0
    if (!expected) this.#break(thrown ?? new Error('the thread has ended'))
  }

  pause(): Promise<void> {
    const refusal = this.#refusal()
    if (refusal !== null) return Promise.reject(refusal)
    this.#flush()
    this.#hold()
    return new Promise((resolve, reject) => {
      this.#pausing = { resolve: () => resolve(), reject }
      this.#post({ kind: 'pause' })
    })
  }

  resume(): void {
    this.#post({ kind: 'resume' })
    this.#release()
  }

  close(cut: AbortSignal = NEVER): Promise<void> {
    this.#flush()
    this.#closing ??= this.#close(cut)
    return this.#closing
  }

  async #close(cut: AbortSignal): Promise<void> {
    if (this.#broken === null) {
      this.#hold()
      const closed = new Promise<void>((resolve) => {
        this.#onClosed = resolve
        this.#post({ kind: 'close' })
      })
      if (!(await settlesBefore(cut, closed))) this.#giveUp(storeClosed())
    }
    this.#line?.close()
    await this.#worker.terminate()
  }
}

function notStarted(cause: unknown): MillraceError {
  return new MillraceError(
    'thread-missing',
    'The file of the store\'s thread could not be run. With a bundler, keep "millrace" out of the bundle (esbuild: --external:millrace), ' +
      'or pass openMillrace the option threadFile: the path of a copy of "millrace/sqlite-thread".',
    { cause },
  )
}
