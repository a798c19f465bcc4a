/** Parcels that are carried until somebody says so, and one that blows up whoever carries it. */
import { defineJob } from '../../../src/index.ts'

export const parcel = defineJob('parcel.carry', { service: 'couriers', maxStrikes: 3 })

export type Parcel = 'plain' | 'bomb'
