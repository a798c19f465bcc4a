/** What goes wrong around the processes of a simulated world. */
import type { Scene } from './process-life.ts'
import type { SeededChoice } from './seeded-choice.ts'
import type { SimulatedProcess } from './simulated-process.ts'

const TROUBLES = {
  crash: 3,
  suspend: 3,
  cut: 2,
  end: 2,
  upgrade: 0.6,
  storeClock: 1,
  machineClock: 0.6,
  weather: 2,
} as const

export class Trouble {
  readonly #scene: Scene
  readonly #choice: SeededChoice
  readonly #processes: readonly SimulatedProcess[]

  constructor(scene: Scene, choice: SeededChoice, processes: readonly SimulatedProcess[]) {
    this.#scene = scene
    this.#choice = choice
    this.#processes = processes
  }

  /** Something goes wrong. Answers what, for whoever reads along. */
  strike(): string {
    const trouble = this.#choice.weighted(TROUBLES)
    const process = this.#choice.pick(this.#processes)
    const { probes, clock, near } = this.#scene
    switch (trouble) {
      case 'crash':
        probes.see('a process crashed')
        process.present.crash()
        break
      case 'suspend':
        return this.#suspend(process)
      case 'cut':
        // A thread of the process cannot be cut off from it.
        return near ? this.#suspend(process) : this.#cut(process)
      case 'end':
        this.#end(process)
        break
      case 'upgrade':
        process.upgrade()
        this.#end(process)
        break
      case 'storeClock': {
        const ms = this.#choice.chance(0.6) ? this.#choice.between(1_000, 40_000) : -this.#choice.between(500, 15_000)
        clock.jump(ms)
        return `${trouble} ${ms}`
      }
      case 'machineClock':
        probes.see("a machine's clock jumped")
        process.jumpClock(this.#choice.between(-60_000, 60_000))
        break
      case 'weather':
        this.changeWeather()
        break
    }
    return `${trouble} ${process.name}`
  }

  changeWeather(): void {
    const { weather } = this.#scene
    const badness = this.#choice.pick([0, 0.05, 0.2, 0.5])
    weather.refused = badness * this.#choice.fraction()
    weather.lost = badness * this.#choice.fraction()
    weather.slow = badness * this.#choice.fraction()
  }

  #suspend({ present, name }: SimulatedProcess): string {
    const { schedule, probes } = this.#scene
    const ms = this.#choice.between(50, this.#choice.chance(0.5) ? 2_000 : 25_000)
    probes.see('a process was suspended')
    present.suspend()
    schedule.add(schedule.now + ms, () => present.resume())
    return `suspend ${name} for ${ms}`
  }

  /** Sometimes it is told to stop while it cannot reach the store. */
  #cut(process: SimulatedProcess): string {
    const { present, name } = process
    const { schedule, probes } = this.#scene
    const ms = this.#choice.between(50, this.#choice.chance(0.5) ? 3_000 : 40_000)
    probes.see('a process was cut off from the store')
    present.link.cut()
    schedule.add(schedule.now + ms, () => present.link.mend())
    if (this.#choice.chance(0.4)) schedule.add(schedule.now + this.#choice.between(0, ms), () => this.#end(process))
    return `cut off ${name} for ${ms}`
  }

  #end({ present, name }: SimulatedProcess): void {
    const { referee } = this.#scene
    if (present.isEnding || present.life !== 'going') return
    present.end().catch((error: unknown) => referee.accuse('a process ends', `${name}: ${String(error)}`))
  }
}
