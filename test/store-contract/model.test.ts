import { openModel } from '../support/open-model.ts'
import { everyContract } from './every-contract.ts'

everyContract(openModel)
