/** What happened to many jobs at once, as one row. */
import type { EventName } from '../core/events.ts'
import { EVENT_CODES } from '../store/codes.ts'
import type { ListedEvent } from '../store/event-lists.ts'
import type { Database } from './database.ts'
import { keyRuns } from './key-runs.ts'

/** Whoever reads a page of a list reads its jobs from there on, and those of the page before are passed over one by one. */
export const LONGEST_LIST = 1_000

// Of what is there too, should somebody have put a wrong number into the file: no place is given twice.
const LAST_POSITION =
  "SELECT max(ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'millrace_events'), 0), " +
  'ifnull((SELECT position FROM millrace_events ORDER BY position DESC LIMIT 1), 0), ' +
  'ifnull((SELECT position + events - 1 FROM millrace_event_lists ORDER BY position DESC LIMIT 1), 0)) AS last'
const SET_LAST_POSITION = "UPDATE sqlite_sequence SET seq = ? WHERE name = 'millrace_events'"
const ADD_LAST_POSITION = "INSERT INTO sqlite_sequence (seq, name) VALUES (?, 'millrace_events')"

/** Where the next event of the log will be, as long as none is written. */
export function nextPosition(db: Database): number {
  return Number(db.get(LAST_POSITION)?.['last']) + 1
}

export interface NewList {
  /** Where `nextPosition` was when the jobs' rows were told of it. */
  readonly position: number
  readonly event: EventName
  readonly listed: ListedEvent
  /** Integer keys, each in its event's place; null: another event's. */
  readonly jobs: readonly (number | null)[]
}

const INSERT_LIST =
  'INSERT INTO millrace_event_lists (position, events, code, seq, attempt, at, jobs) VALUES (?, ?, ?, ?, ?, ?, ?)'

/** The positions of the list are taken: events that are written afterwards lie behind it, but for those that have a place in it. */
export function writeList(db: Database, { position, event, listed, jobs }: NewList): void {
  const { seq, attempt } = listed
  const runs = JSON.stringify(keyRuns(jobs))
  db.run(INSERT_LIST, position, jobs.length, EVENT_CODES[event], seq, attempt, db.now, runs)
  const last = position + jobs.length - 1
  if (db.run(SET_LAST_POSITION, last) === 0) db.run(ADD_LAST_POSITION, last)
}

/** A run `r` of `json_each(list.jobs)`: the keys between these, the first at `RUN_POSITION`. */
export const RUN_FIRST = 'r.value ->> 1'
export const RUN_LAST = 'r.value ->> 1 + r.value ->> 2 - 1'
export const RUN_POSITION = 'list.position + r.value ->> 0'
