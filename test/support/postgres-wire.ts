/** What a client of PostgreSQL sends, taken apart as far as a proxy must know it: which statements, and where one request ends. */

/** All that a client sends up to the point where it waits for the server to be ready again. */
export interface Request {
  /** As they go over the wire. */
  readonly bytes: Buffer
  /** Its statements; none: the words of a beginning or an end. */
  readonly statements: readonly string[]
  /** Names under which it has statements kept for later. */
  readonly prepared: readonly string[]
  /** Whether the server answers it by saying that it is ready. */
  readonly isAnswered: boolean
}

const LENGTH_BYTES = 4
const TYPE_BYTES = 1

interface Message {
  /** Empty: the first, which has no type. */
  readonly type: string
  readonly bytes: Buffer
  readonly body: Buffer
}

/** Cuts a stream into messages, of which the first may have no type. */
export class MessageStream {
  #rest: Buffer = Buffer.alloc(0)
  #typeBytes: number

  constructor({ isClient }: { readonly isClient: boolean }) {
    this.#typeBytes = isClient ? 0 : TYPE_BYTES
  }

  take(chunk: Buffer): readonly Message[] {
    this.#rest = Buffer.concat([this.#rest, chunk])
    const messages: Message[] = []
    for (;;) {
      const head = this.#typeBytes + LENGTH_BYTES
      if (this.#rest.length < head) return messages
      const end = this.#typeBytes + this.#rest.readUInt32BE(this.#typeBytes)
      if (this.#rest.length < end) return messages
      const bytes = this.#rest.subarray(0, end)
      messages.push({ type: bytes.toString('latin1', 0, this.#typeBytes), bytes, body: bytes.subarray(head) })
      this.#rest = this.#rest.subarray(end)
      this.#typeBytes = TYPE_BYTES
    }
  }
}

/** What ends a request, and has an answer of its own. */
const QUERY = 'Q'
const PARSE = 'P'
const BIND = 'B'
const SYNC = 'S'
/** Words of the beginning and the end. */
const ALONE: ReadonlySet<string> = new Set(['', 'p', 'X'])

/** Cuts what a client sends into requests. */
export class RequestStream {
  readonly #messages = new MessageStream({ isClient: true })
  readonly #texts = new Map<string, string>()
  #pending: Message[] = []

  take(chunk: Buffer): readonly Request[] {
    const requests: Request[] = []
    for (const message of this.#messages.take(chunk)) {
      this.#pending.push(message)
      const isAnswered = message.type === QUERY || message.type === SYNC
      if (!isAnswered && !ALONE.has(message.type)) continue
      requests.push(this.#request(isAnswered))
      this.#pending = []
    }
    return requests
  }

  #request(isAnswered: boolean): Request {
    const statements: string[] = []
    const prepared: string[] = []
    for (const { type, body } of this.#pending) {
      if (type === QUERY) statements.push(textAt(body, 0))
      if (type === PARSE) {
        const name = textAt(body, 0)
        this.#texts.set(name, textAt(body, name.length + 1))
        if (name !== '') prepared.push(name)
      }
      if (type === BIND) statements.push(this.#texts.get(textAt(body, textAt(body, 0).length + 1)) ?? '')
    }
    return { bytes: Buffer.concat(this.#pending.map(({ bytes }) => bytes)), statements, prepared, isAnswered }
  }
}

function textAt(body: Buffer, start: number): string {
  return body.toString('latin1', start, body.indexOf(0, start))
}
