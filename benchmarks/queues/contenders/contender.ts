/** What every queue under test is asked to do. Nothing here knows what a queue keeps its jobs in. */

/** `best`: the fastest settings we know of; the contender's file says why these. `defaults`: what its documentation begins with. */
export type Settings = 'best' | 'defaults'

/** `plain`: jobs of one phase. `phases`: jobs of four, for the contenders that have phases. */
export type Load = 'plain' | 'phases'

export interface JobInput {
  /** Which of a run's jobs it is, so that one that never ran, or ran twice, is noticed. */
  readonly index: number
}

/** Where the jobs of one run are kept: what a process has to know to open the same queue. */
export interface Place {
  /** Empty at first, and removed after the run. */
  readonly folder: string
  /** What the contender makes of it: a path, a connection string. */
  readonly address: string
  /** What the store takes up with no job in it. */
  readonly emptyBytes: number
}

/** A store made ready for one run. */
export interface Host {
  readonly place: Place
  stop(): Promise<void>
}

/**
 * What a store can hold besides the jobs of a run. `finished`: completed, and kept. `other`: waiting, of another type. `behind`: waiting, of
 * the same type, but less urgent.
 */
export type BacklogKind = 'finished' | 'other' | 'behind'

export interface Contender {
  readonly name: string
  readonly label: string
  readonly settings: Settings
  /** Whether everything that it has answered outlives a power cut. */
  readonly durable: boolean
  /** What a power cut may take, and by which setting. */
  readonly durability: string
  /** Why it cannot run here; null: it can. */
  unavailable(): Promise<string | null>
  /** Makes the store of one run ready, and starts the server where there is one. */
  host(folder: string): Promise<Host>
  /** Any number of processes may open the queue of one place. */
  open(place: Place, load: Load): Promise<Queue>
  /** What the store takes up, in bytes of `bytesOf`, once every queue of the place is closed. */
  bytes(place: Place): Promise<number>
  readonly bytesOf: 'disk' | 'memory'
  /** Puts so many jobs into the store by a few statements of its own, where it is measured beside them. */
  addBacklog?(place: Place, kind: BacklogKind, count: number): Promise<void>
}

export interface Queue {
  /** Resolves once the job is in the store. */
  enqueue(input: JobInput): Promise<void>
  /** Resolves once all of them are in the store, in one go. */
  enqueueMany(inputs: readonly JobInput[]): Promise<void>
  /** Starts a worker whose handler does nothing but call `onJob`. */
  work(onJob: (input: JobInput) => void): Promise<Working>
  counts(): Promise<JobCounts>
  close(): Promise<void>
}

export interface Working {
  /**
   * Resolves with the instant at which the last job of this worker was completed in the store.
   *
   * @param jobs how many there are for this worker; null: other workers take some too, and it is over when none is left
   */
  drained(jobs: number | null): Promise<number>
  stop(): Promise<void>
}

export interface JobCounts {
  /** Not yet completed, whatever else they are. */
  readonly waiting: number
  /** Null: the queue deletes a job as it completes it. */
  readonly completed: number | null
}
