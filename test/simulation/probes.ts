/** Branches that are rare and must not be missed: a simulation that has never been there has shown nothing about them. */

export const PROBES = [
  'a call failed before it was carried out',
  'one of many calls failed by itself',
  'an answer was lost, and looked up',
  'an answer was lost, and the call failed',
  'a process crashed',
  'a process was suspended',
  'a process held up its own thread',
  'a process was cut off from the store',
  'a process stopped in good order',
  'a worker did not come to rest in time',
  "the store's clock jumped ahead",
  "the store's clock stood still",
  "a machine's clock jumped",
  'a key answered with the job that has it',
  'a key was refused for another input',
  'a unique key answered with the job that holds it',
  'a waiting job was cancelled',
  'a running job was asked to stop',
  'a cancel came too late: the job completed',
  'a cancel won over a failure',
  'a cancel won over a release',
  'a cancel won over a lost session',
  'a cancel won over a time-out',
  'a final job was not cancelled',
  'a late completion was refused',
  'a late phase result was refused',
  'a late failure was refused',
  'a late progress, log or extension was refused',
  'a late artifact was refused',
  'an artifact was kept, and its call failed',
  'a phase result was sent again, and had been kept',
  'a completion was sent again, and had been kept',
  'a worker timed out an attempt',
  'a sweep timed out an attempt',
  'a time-out was refused by the clock of the store',
  'an attempt was given more time',
  'a handler stopped when it was cancelled',
  'a worker ended the grace of a cancel',
  'a sweep ended the grace of a cancel',
  'a handler was left to itself',
  'a handler that was left to itself ended',
  'a worker stopped, with too many handlers left to themselves',
  'a session was lost, and another opened',
  'a session was taken up again after its lease had run out',
  'a claim was answered after its session was lost',
  'a reaper did not trust its clock',
  'a dead session lost its jobs',
  'a job became a suspect',
  'a suspect waited for another one',
  'a suspect got a strike',
  'a suspect was cleared by a finished phase',
  'a job was failed as poison',
  'a job went on at a later phase after its worker had died',
  'a job went on with a changed list of phases',
  'a job failed because its list of phases had changed',
  'a job was given back by a worker that shut down',
  'a job was taken ahead of the slots',
  'a job was given back unbegun',
  'a retry kept earlier results',
  'a retry began afresh',
  'an act met a job that had moved on',
  'a running job was failed by force',
  'a running job was put back by force',
  'a waiting job was run now',
  'a job was deleted when its time had come',
  'a key answered with a job that had been deleted',
  'a paused queue held a job back',
  'a forced cleanup waited for another process',
  'a forced cleanup was given the report of another process',
  'a cleanup began after a process that had died with the turn',
  'a job was taken by hand',
  'a job could not be had by hand',
  'a job was completed by hand',
  'a job was failed by hand',
  'a job was given back by hand',
  'a phase was finished by hand',
  'a driver heeded a cancel',
  'a late write by hand was refused',
  'a write by hand was accepted although its lock had run out',
  'a silent driver lost a job, which was put back',
  'a silent driver lost a job, which went on at a later phase',
  'a silent driver lost a job, which was failed',
  'a lock that held no job was cleared',
  'the store could not be asked for cancellations',
  'results waited for the store',
] as const

export type Probe = (typeof PROBES)[number]

/** How often each was seen. */
export class Probes {
  readonly #counts = new Map<Probe, number>()

  see(probe: Probe): void {
    this.#counts.set(probe, (this.#counts.get(probe) ?? 0) + 1)
  }

  count(probe: Probe): number {
    return this.#counts.get(probe) ?? 0
  }

  add(other: Probes): void {
    for (const probe of PROBES) {
      const count = other.count(probe)
      if (count > 0) this.#counts.set(probe, this.count(probe) + count)
    }
  }

  get unseen(): readonly Probe[] {
    return PROBES.filter((probe) => this.count(probe) === 0)
  }
}
