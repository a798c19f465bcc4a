import { openSqliteFileInline } from '../support/open-sqlite.ts'
import { durabilityContract } from './durability.contract.ts'
import { everyContract } from './every-contract.ts'

everyContract(openSqliteFileInline)
durabilityContract(openSqliteFileInline)
