/** Bytes of artifacts that no artifact refers to: those of jobs that were deleted, and what a process has left that died at it. */
import type { OldBytes } from '../store/artifacts.ts'
import type { Store } from '../store/store.ts'

export async function removeBytes({ artifacts }: Store, paths: readonly string[]): Promise<void> {
  for (const path of paths) await artifacts.bytes.remove(path)
}

const ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/

/** Page by page, the paths of old bytes that are no artifact's. */
export async function* findOrphans(
  { artifacts, retention }: Store,
  search: OldBytes,
): AsyncGenerator<readonly string[]> {
  for await (const paths of artifacts.bytes.old(search)) {
    const ids = new Map(paths.map((path) => [path, ID.exec(path)?.[0] ?? '']))
    const kept = await retention.artifactPaths([...ids.values()])
    const orphans = paths.filter((path) => kept.get(ids.get(path) ?? '') !== path)
    if (orphans.length > 0) yield orphans
  }
}
