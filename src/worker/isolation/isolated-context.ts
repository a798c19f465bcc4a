/** The context of a phase that runs in a thread or process of its own. What it writes goes to the worker, which writes it under the claim. */
import { parseDuration } from '../../core/duration.ts'
import type { Duration } from '../../core/duration.ts'
import { decodeJson } from '../../core/json.ts'
import type { Json } from '../../core/json.ts'
import { checkArtifactName, checkContentType } from '../artifact-name.ts'
import { defaultContentType, metadataText } from '../artifact-writer.ts'
import type { ArtifactOptions, ArtifactWriter, HandlerContext, JobLog } from '../handler-context.ts'
import { lineOf } from '../job-log.ts'
import { extensionMs, resultsOf } from '../phase-context.ts'
import { ChunkReader } from './artifact-chunks.ts'
import type { HandlerRun } from './handler-run.ts'
import { isObject } from './json-object.ts'

/** Everything but the signal is there at once; what is checked here throws where the handler calls it, as it does inline. */
export function isolatedContext(run: HandlerRun, input: unknown): HandlerContext {
  const { facts, order } = run
  return {
    ...facts,
    input,
    results: resultsOf(order.results),
    get signal(): AbortSignal {
      return run.signal
    },
    progress: (percent: number, context?: Json): void => {
      run.check('progress')
      run.progress.report(percent, context)
    },
    checkCancellation: () => run.checkCancellation(),
    log: jobLog(run),
    artifact: artifactWriter(run),
    extend: async (duration: Duration): Promise<void> => {
      extensionMs(duration)
      run.check('extend')
      run.throwIfStopped()
      await run.extend(duration)
    },
  }
}

function jobLog(run: HandlerRun): JobLog {
  const line =
    (level: keyof JobLog): JobLog['info'] =>
    (message, fields) => {
      run.check(`log.${level}`)
      run.log(lineOf(level, message, fields))
    }
  return { info: line('info'), warn: line('warn'), error: line('error') }
}

function artifactWriter(run: HandlerRun): ArtifactWriter {
  return {
    write: async (name, body, options = {}) => {
      run.check('artifact.write')
      checkArtifactName(name)
      const contentType = checkContentType(options.contentType ?? defaultContentType(body))
      const artifact = { name, options: { contentType, ...travelling(options) } }
      return run.writeArtifact(artifact, new ChunkReader(body))
    },
  }
}

/** Checked before they travel: what is no JSON can't. */
function travelling({ expiresIn, metadata }: ArtifactOptions): ArtifactOptions {
  if (expiresIn !== undefined) parseDuration(expiresIn, 'expiresIn')
  const copy = metadata === undefined ? undefined : decodeJson(metadataText(metadata))
  return {
    ...(expiresIn === undefined ? {} : { expiresIn }),
    ...(isObject(copy) ? { metadata: copy } : {}),
  }
}
