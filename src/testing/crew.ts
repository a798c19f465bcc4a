/** Workers that take jobs when they are told to: one for each service that has handlers. */
import type { Handler } from '../worker/handler.ts'
import { emptyTally } from '../worker/worker-report.ts'
import type { WorkerReport, WorkerTally } from '../worker/worker-report.ts'
import type { Worker } from '../worker/worker.ts'
import { TestProcess } from './test-process.ts'
import type { Surroundings } from './test-process.ts'

class CrewMember {
  readonly #process: TestProcess
  /** Of the latest claim. */
  nextDueInMs: number | null = null
  #worker: Worker | null = null

  constructor(surroundings: Surroundings, service: string) {
    this.#process = new TestProcess(surroundings, service, {
      claimed: async ({ nextDueInMs }) => {
        this.nextDueInMs = nextDueInMs
      },
    })
  }

  async work(handlers: readonly Handler[], concurrency: number): Promise<void> {
    this.#worker = await this.#process.mill.work(handlers, { manual: true, concurrency })
  }

  async runOnce(): Promise<WorkerReport> {
    this.nextDueInMs = null
    return this.#worker === null ? emptyTally() : this.#worker.runOnce()
  }

  close(): Promise<void> {
    return this.#process.close()
  }
}

export class Crew {
  readonly #members: readonly CrewMember[]

  private constructor(members: readonly CrewMember[]) {
    this.#members = members
  }

  static async open(surroundings: Surroundings, handlers: readonly Handler[], concurrency: number): Promise<Crew> {
    const byService = Map.groupBy(handlers, ({ definition }) => definition.service)
    const members: CrewMember[] = []
    const crew = new Crew(members)
    try {
      for (const [service, own] of byService) {
        const member = new CrewMember(surroundings, service)
        members.push(member)
        await member.work(own, concurrency)
      }
      return crew
    } catch (error) {
      await crew.close()
      throw error
    }
  }

  /** Each worker takes jobs once and runs them to their end. */
  async runOnce(): Promise<WorkerReport> {
    const sum = emptyTally()
    for (const member of this.#members) add(sum, await member.runOnce())
    return sum
  }

  /** When the next job comes due that waits for its time, as far as the latest passes saw; null: none waits. */
  get nextDueInMs(): number | null {
    const due = this.#members.flatMap(({ nextDueInMs }) => (nextDueInMs === null ? [] : [nextDueInMs]))
    return due.length === 0 ? null : Math.max(1, Math.min(...due))
  }

  async close(): Promise<void> {
    for (const member of this.#members) await member.close()
  }
}

const COUNTS: readonly (keyof WorkerReport)[] = [
  'claimed',
  'completed',
  'retrying',
  'failed',
  'cancelled',
  'released',
  'lost',
]

export function add(sum: WorkerTally, report: WorkerReport): void {
  for (const count of COUNTS) sum[count] += report[count]
}
