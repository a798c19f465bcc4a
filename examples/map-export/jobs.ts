/** What a map export is: all that a web app needs to order one. */
import { defineJob } from 'millrace'
import { MapFile, MapRequest } from './map-request.ts'

export const exportMap = defineJob('map.export', {
  service: 'workers',
  input: MapRequest,
  output: MapFile,
  phases: ['load', 'project', 'render', 'store'],
  retry: { maxAttempts: 4, backoff: { base: '1s', max: '1m' } },
  timeout: '5m',
  cancelGrace: '5s',
})
