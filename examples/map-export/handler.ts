/** How a map is made. Only the service that works on map exports imports this, and with it the atlas and the renderer. */
import { handle } from 'millrace'
import { describeMap } from './describe-map.ts'
import { drawMap } from './draw-map.ts'
import { exportMap } from './jobs.ts'
import { loadRegion } from './load-region.ts'
import { projectRegion } from './project-region.ts'
import { renderPng } from './render-png.ts'

export const exportMapHandler = handle(exportMap, { module: import.meta.url })
  .phase('load', ({ input, log }) => {
    const outlines = loadRegion(input)
    log.info(`${outlines.name} found in the atlas`)
    return outlines
  })
  .phase('project', ({ input, results, progress, checkCancellation }) =>
    projectRegion(results.load, input, (share) => {
      checkCancellation()
      progress(share * 100)
    }),
  )
  .phase('render', async ({ results, progress, artifact }) => {
    const svg = drawMap(results.project)
    progress(20)
    const png = renderPng(svg, results.project)
    progress(90)
    return artifact.write('map.png', png, { contentType: 'image/png', expiresIn: '30d' })
  })
  .phase('store', ({ results }) => ({ ...describeMap(results.project), file: results.render }))
