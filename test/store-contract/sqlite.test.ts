import { openSqliteFile } from '../support/open-sqlite.ts'
import { besideContract } from './beside.contract.ts'
import { durabilityContract } from './durability.contract.ts'
import { everyContract } from './every-contract.ts'
import { failingCallsContract } from './failing-calls.contract.ts'

everyContract(openSqliteFile)
besideContract(openSqliteFile)
durabilityContract(openSqliteFile)
failingCallsContract(openSqliteFile)
