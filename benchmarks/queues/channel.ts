/** What two processes of one run tell each other. Both ends have the same one. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'

interface Message {
  readonly name: string
  readonly facts: unknown
}

interface End {
  send?(message: Message): unknown
  on(event: 'message', listener: (message: Message) => void): unknown
}

export class Channel {
  readonly #end: End
  readonly #untold: Message[] = []
  readonly #listeners = new Map<string, (facts: unknown) => void>()

  constructor(end: End) {
    this.#end = end
    end.on('message', ({ name, facts }) => {
      const listener = this.#listeners.get(name)
      this.#listeners.delete(name)
      if (listener === undefined) this.#untold.push({ name, facts })
      else listener(facts)
    })
  }

  tell(name: string, facts: unknown = null): void {
    this.#end.send?.({ name, facts })
  }

  /** What was told under that name, or will be; each message is heard once. */
  hear<Facts>(name: string): Promise<Facts> {
    const index = this.#untold.findIndex((message) => message.name === name)
    if (index >= 0) return Promise.resolve(this.#untold.splice(index, 1)[0]?.facts as Facts)
    return new Promise((resolve) => this.#listeners.set(name, (facts) => resolve(facts as Facts)))
  }
}

/** A process that plays a part in a run. Whoever listens to it fails when it ends before its time. */
export class Part {
  readonly #channel: Channel
  readonly #ended: Promise<number | null>

  /** `apart`: the signals of a terminal don't reach it, so that whoever started it says when it ends. */
  constructor(program: string, args: readonly string[], apart = false) {
    const child = fork(program, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], detached: apart })
    this.#channel = new Channel(child)
    this.#ended = endOf(child)
  }

  tell(name: string, facts: unknown = null): void {
    this.#channel.tell(name, facts)
  }

  async hear<Facts>(name: string): Promise<Facts> {
    const early = this.#ended.then((status): never => {
      throw new Error(`a process of the run ended with ${status} before it told "${name}"`)
    })
    return Promise.race([this.#channel.hear<Facts>(name), early])
  }

  async ended(): Promise<void> {
    const status = await this.#ended
    if (status !== 0) throw new Error(`a process of the run ended with ${status}`)
  }
}

function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (status) => resolve(status))
  })
}
