/** Takes the jobs by hand that its parent names, and then does what it is told: nothing, until it is killed. */
import { JobManager } from '../../../src/index.ts'
import { hearParent, openParentsMill, tellParent } from '../../support/parent-process.ts'

const mill = await openParentsMill({ service: 'studio', maintenance: false })
const jobs = new JobManager(mill, { actor: 'ann' })
tellParent('ready')
for (let nth = 1; ; nth += 1) tellParent('taken', await jobs.startProcessing(await hearParent<string>('take', nth)))
