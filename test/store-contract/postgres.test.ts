import { openPostgres } from '../support/open-postgres.ts'
import { oneByOneContract } from './every-contract.ts'

oneByOneContract(openPostgres)
