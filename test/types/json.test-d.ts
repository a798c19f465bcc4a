/** Checked by the compiler alone: each line under an `@ts-expect-error` must be refused, each other one accepted. */
import type { Json, JsonCompatible } from '../../src/core/json.ts'

declare function store<T>(output: T & JsonCompatible<T>): void
declare function handle<T>(handler: () => Promise<T & JsonCompatible<T>>): void
declare const anything: unknown
declare const json: Json

interface Page {
  readonly title: string
  readonly words: number
  readonly parent?: Page
  readonly note?: string | undefined
}

interface Book {
  readonly pages: readonly Page[]
  readonly tags: [string, number | null]
  readonly byName: Readonly<Record<string, Page>>
  readonly kind: 'novel' | 'poem'
}

interface WithBytes {
  readonly title: string
  readonly body: Uint8Array
}

interface WithMethod {
  readonly title: string
  read(): string
}

declare const page: Page
declare const book: Book
declare const withBytes: WithBytes
declare const withMethod: WithMethod
declare const count: number
declare const yes: boolean

// What JSON can hold passes, interfaces and optional properties too.
store(null)
store('text')
store(count)
store(yes)
store([1, 'a', null, [false]])
store({ a: { b: [{ c: null }] } })
store(page)
store(book)
store([page, page])
store(json)
store(anything)
store(page as Page | null)
handle(async () => book)
handle(async () => ({ pages: [page] }))

// What it can't hold does not, however deep.
// @ts-expect-error bytes
store(new Uint8Array(1))
// @ts-expect-error bytes
store(Buffer.from('x'))
// @ts-expect-error bytes
store(new ArrayBuffer(1))
// @ts-expect-error bytes inside
store(withBytes)
// @ts-expect-error bytes deep inside
store({ pages: [{ body: new Uint8Array(1) }] })
// @ts-expect-error a function
store(() => 1)
// @ts-expect-error a method
store(withMethod)
// @ts-expect-error a bigint
store(1n)
// @ts-expect-error a bigint inside
store({ id: 1n })
// @ts-expect-error a symbol
store(Symbol('x'))
// @ts-expect-error a date
store({ at: new Date() })
// @ts-expect-error a map
store(new Map([['a', 1]]))
// @ts-expect-error a set
store({ tags: new Set(['a']) })
// @ts-expect-error nothing
store(undefined)
// @ts-expect-error undefined in a list
store([1, undefined])
// @ts-expect-error a promise that was not awaited
store({ page: Promise.resolve(page) })
// @ts-expect-error bytes in a union
store(page as Page | Uint8Array)
// @ts-expect-error bytes from a handler
handle(async () => withBytes)
