import { openSqliteInMemory } from '../support/open-sqlite.ts'
import { everyContract } from './every-contract.ts'
import { failingCallsContract } from './failing-calls.contract.ts'

everyContract(openSqliteInMemory)
failingCallsContract(openSqliteInMemory)
