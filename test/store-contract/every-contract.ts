import type { OpenStore } from '../support/store-under-test.ts'
import { artifactsContract } from './artifacts.contract.ts'
import { attemptStopsContract } from './attempt-stops.contract.ts'
import { auditContract } from './audit.contract.ts'
import { attemptsContract } from './attempts.contract.ts'
import { batchesContract } from './batches.contract.ts'
import { byHandContract } from './by-hand.contract.ts'
import { cancelContract } from './cancel.contract.ts'
import { cleanupTurnsContract } from './cleanup-turns.contract.ts'
import { claimsContract } from './claims.contract.ts'
import { eventListsContract } from './event-lists.contract.ts'
import { eventsContract } from './events.contract.ts'
import { evidenceContract } from './evidence.contract.ts'
import { fencingContract } from './fencing.contract.ts'
import { integrityContract } from './integrity.contract.ts'
import { jobTypesContract } from './job-types.contract.ts'
import { jobsContract } from './jobs.contract.ts'
import { keysContract } from './keys.contract.ts'
import { listingContract } from './listing.contract.ts'
import { manyCallsContract } from './many-calls.contract.ts'
import { repeatedCallsContract } from './repeated-calls.contract.ts'
import { manyNewJobsContract } from './many-new-jobs.contract.ts'
import { ownershipContract } from './ownership.contract.ts'
import { phasesContract } from './phases.contract.ts'
import { plansContract } from './plans.contract.ts'
import { queuesContract } from './queues.contract.ts'
import { recoveryContract } from './recovery.contract.ts'
import { retentionContract } from './retention.contract.ts'
import { retryContract } from './retry.contract.ts'
import { scopeContract } from './scope.contract.ts'
import { sessionsContract } from './sessions.contract.ts'
import { textsContract } from './texts.contract.ts'

/** What every store must do, whatever it is made of. A store that keeps what it is told has `durabilityContract` besides. */
export function everyContract(open: OpenStore): void {
  oneByOneContract(open)
  plansContract(open)
  togetherContract(open)
}

/** What calls do that are made one after the other. */
export function oneByOneContract(open: OpenStore): void {
  jobsContract(open)
  keysContract(open)
  textsContract(open)
  listingContract(open)
  scopeContract(open)
  claimsContract(open)
  byHandContract(open)
  attemptsContract(open)
  attemptStopsContract(open)
  phasesContract(open)
  fencingContract(open)
  cancelContract(open)
  retryContract(open)
  recoveryContract(open)
  sessionsContract(open)
  jobTypesContract(open)
  ownershipContract(open)
  evidenceContract(open)
  queuesContract(open)
  eventsContract(open)
  eventListsContract(open)
  artifactsContract(open)
  auditContract(open)
  retentionContract(open)
  cleanupTurnsContract(open)
  integrityContract(open)
}

/** What calls do that are made at once. */
export function togetherContract(open: OpenStore): void {
  batchesContract(open)
  manyCallsContract(open)
  repeatedCallsContract(open)
  manyNewJobsContract(open)
}
