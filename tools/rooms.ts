/** One folder of `src/`, or one file that stands at its top. */
export interface Room {
  /** The rooms whose files it may import, besides its own. */
  readonly mayImport: readonly string[]
  /** The Node built-in modules it may import. A module with a home in {@link homes} is allowed there only. */
  readonly builtins: 'any' | 'none'
  /** Why the room is fenced like this: said whenever an import is refused. */
  readonly because: string
}

/** Who may import whom. A folder or a top-level file that is not named here is refused. */
export const rooms: Readonly<Record<string, Room>> = {
  core: {
    mayImport: [],
    builtins: 'none',
    because: 'the rules are pure: one copy runs in every store, in the model and in the tests',
  },
  store: {
    mayImport: ['core'],
    builtins: 'any',
    because: 'the port is what every store keeps: it knows the rules and no database',
  },
  runtime: {
    mayImport: ['core'],
    builtins: 'any',
    because: 'clock, timers, randomness and signals are handed to the others: it knows none of them',
  },
  sqlite: {
    mayImport: ['core', 'store', 'runtime'],
    builtins: 'any',
    because: 'an adapter keeps the port for one database: nothing above the port may shape it',
  },
  postgres: {
    mayImport: ['core', 'store', 'runtime'],
    builtins: 'any',
    because: 'an adapter keeps the port for one database: nothing above the port may shape it',
  },
  client: {
    mayImport: ['core', 'store', 'runtime'],
    builtins: 'any',
    because: 'it runs on every store alike, so it talks to the port, and it works without the other services',
  },
  worker: {
    mayImport: ['core', 'store', 'runtime'],
    builtins: 'any',
    because: 'it runs on every store alike, so it talks to the port, and it works without the other services',
  },
  events: {
    mayImport: ['core', 'store', 'runtime'],
    builtins: 'any',
    because: 'it runs on every store alike, so it talks to the port, and it works without the other services',
  },
  maintenance: {
    mayImport: ['core', 'store', 'runtime'],
    builtins: 'any',
    because: 'it runs on every store alike, so it talks to the port, and it works without the other services',
  },
  'open-store.ts': {
    mayImport: ['core', 'store', 'runtime', 'sqlite', 'postgres', 'client'],
    builtins: 'any',
    because: 'it is the one place that knows which stores there are, and loads the one that is asked for',
  },
  'open-millrace.ts': {
    mayImport: ['open-store.ts', 'core', 'store', 'runtime', 'client', 'worker', 'events', 'maintenance'],
    builtins: 'any',
    because: 'it wires the rooms together and knows them all, but nobody who uses it',
  },
  'index.ts': {
    mayImport: [
      'open-millrace.ts',
      'open-store.ts',
      'core',
      'store',
      'runtime',
      'client',
      'worker',
      'events',
      'maintenance',
    ],
    builtins: 'none',
    because: 'the door re-exports what users may hold: adapters and the command line stay behind it',
  },
  testing: {
    mayImport: ['open-millrace.ts', 'open-store.ts', 'core', 'store', 'runtime', 'client', 'worker'],
    builtins: 'any',
    because:
      'the test kit opens a whole Millrace, moves its clock and stands between a worker and its store: it changes neither',
  },
  cli: {
    mayImport: ['index.ts'],
    builtins: 'any',
    because: 'a command does what a user could do: it goes through the public door',
  },
}

/** The one file that may import a module, where another file that did would go round it. */
export const homes: Readonly<Record<string, { readonly file: string; readonly because: string }>> = {
  'node:sqlite': {
    file: 'src/sqlite/driver.ts',
    because: 'the driver sets every pragma and reads it back: a second way in would skip that',
  },
  pg: {
    file: 'src/postgres/driver.ts',
    because: 'the driver says how rows are read and what an error means: a second way in would do it otherwise',
  },
  '@standard-schema/spec': {
    file: 'src/core/schema.ts',
    because: 'it is the one thing of others that core names, and only as a type',
  },
}

/** File names that gather whatever has no better place. */
export const drawers: RegExp = /^(?:.+-)?(?:utils?|helpers?|misc)$|^(?:common|types|constants)$/
