import { openSqliteInMemory } from '../support/open-sqlite.ts'
import { everyContract } from './every-contract.ts'

everyContract(openSqliteInMemory)
