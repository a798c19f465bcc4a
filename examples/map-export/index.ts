/** The example that `npm start` runs: the handlers of this service, and a first map to make. */
import { exportMapHandler } from './handler.ts'
import { exportMap } from './jobs.ts'
import type { MapOrder } from './map-request.ts'

export const handlers = [exportMapHandler]

const france: MapOrder = { region: 'FRA', paper: 'A4', dpi: 300 }

export const exampleJobs = [{ definition: exportMap, input: france, key: 'first-map' }]
