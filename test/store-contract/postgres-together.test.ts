import { openPostgres } from '../support/open-postgres.ts'
import { besideContract } from './beside.contract.ts'
import { durabilityContract } from './durability.contract.ts'
import { togetherContract } from './every-contract.ts'
import { failingCallsContract } from './failing-calls.contract.ts'
import { plansContract } from './plans.contract.ts'

plansContract(openPostgres)
togetherContract(openPostgres)
besideContract(openPostgres)
durabilityContract(openPostgres)
failingCallsContract(openPostgres)
