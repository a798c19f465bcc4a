/**
 * One store as one process sees it. Several of them on the same store are several processes, as far as Millrace can tell, and each can be
 * made to die: from then on it gets no answer, hears of nothing, and its sessions give no further sign of life.
 */
import type { Claimed, PlanCall, PlanResult } from '../store/claims.ts'
import type { NewJob } from '../store/jobs.ts'
import type { Store } from '../store/store.ts'
import type { Flow } from './flow.ts'

/** Called with what the store has answered, before the answer is passed on: whoever waits in them holds it up. */
export interface Gates {
  readonly claimed?: (claimed: Claimed) => Promise<void>
  readonly applied?: (call: PlanCall, result: PlanResult) => Promise<void>
}

type Gate<Answer> = (answer: Answer) => Promise<void>

export class StoreView {
  /** What the process is given as its store. */
  readonly store: Store
  readonly #real: Store
  readonly #flow: Flow
  readonly #holders = new Set<number>()
  #dead = false

  constructor(real: Store, flow: Flow, gates: Gates = {}) {
    this.#real = real
    this.#flow = flow
    this.store = this.#between(real, {
      claims: this.#between(real.claims, {
        claim: (request) => this.#ask(() => real.claims.claim(request), gates.claimed),
        apply: (call) =>
          this.#ask(
            () => real.claims.apply(call),
            async (result) => gates.applied?.(call, result),
          ),
        applyAll: (calls) =>
          this.#ask(
            () => real.claims.applyAll(calls),
            async (results) => {
              for (const [index, call] of calls.entries()) {
                const result = results[index]
                if (result !== undefined && 'applied' in result) await gates.applied?.(call, result)
              }
            },
          ),
        interruptionsNow: (held) => (this.#dead ? null : real.claims.interruptionsNow(held)),
      }),
      sessions: this.#between(real.sessions, {
        open: (session, onLost) => {
          this.#holders.add(session.holder)
          return this.#ask(() => real.sessions.open(session, () => this.#unlessDead(onLost)))
        },
      }),
      onChange: (listener) => real.onChange(() => this.#unlessDead(listener)),
      onEnqueue: (listener) => real.onEnqueue((jobs: readonly NewJob[]) => this.#unlessDead(() => listener(jobs))),
      // Others still see it.
      close: () => Promise.resolve(),
    })
  }

  get dead(): boolean {
    return this.#dead
  }

  /** The process dies. Its jobs are taken over once its lease has run out. */
  async die(): Promise<void> {
    this.#dead = true
    for (const holder of this.#holders) await this.#real.sessions.abandon(holder)
  }

  /** Its sessions are ended by others, as if it had been silent for longer than its lease. It is not told. */
  async endSessions(): Promise<void> {
    for (const holder of this.#holders) await this.#real.sessions.end(holder)
    this.#holders.clear()
  }

  /** The part of the store, but for the members that are given. */
  #between<Part extends object>(part: Part, instead: Partial<Part>): Part {
    return new Proxy(part, {
      get: (target, name): unknown => {
        if (Object.hasOwn(instead, name)) return Reflect.get(instead, name)
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member === 'function') return this.#call(target, member)
        return isPart(member) ? this.#between(member, {}) : member
      },
    })
  }

  #call(target: object, member: CallableFunction): (...args: readonly unknown[]) => unknown {
    return (...args) => {
      if (this.#dead) return NEVER
      const answer: unknown = Reflect.apply(member, target, args)
      return answer instanceof Promise ? this.#ask(() => answer) : answer
    }
  }

  async #ask<Answer>(call: () => Promise<Answer>, gate?: Gate<Answer>): Promise<Answer> {
    if (this.#dead) return NEVER
    try {
      const answer = await this.#flow.follow(call())
      await gate?.(answer)
      return this.#dead ? await NEVER : answer
    } catch (error) {
      if (this.#dead) return NEVER
      throw error
    }
  }

  #unlessDead(listener: () => void): void {
    if (!this.#dead) listener()
  }
}

/** The dead wait for ever. */
const NEVER = new Promise<never>(() => {})

function isPart(member: unknown): member is object {
  return typeof member === 'object' && member !== null
}
