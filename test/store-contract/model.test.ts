import { openModel } from '../support/open-model.ts'
import { besideContract } from './beside.contract.ts'
import { everyContract } from './every-contract.ts'

everyContract(openModel)
besideContract(openModel)
