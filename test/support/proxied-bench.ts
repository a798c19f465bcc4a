/** A PostgreSQL store that works by way of a proxy, and another on the same jobs that goes straight and sees what is true. */
import type { TestContext } from 'node:test'

import { openPostgresStore } from '../../src/postgres/open.ts'
import { systemRuntime } from '../../src/runtime/system-runtime.ts'
import type { Store } from '../../src/store/store.ts'
import { benchOf } from './contract-bench.ts'
import type { Bench } from './contract-bench.ts'
import { postgresDatabase } from './postgres-database.ts'
import { postgresUrl } from './postgres-server.ts'
import { openTcpProxy } from './tcp-proxy.ts'
import type { TcpProxy } from './tcp-proxy.ts'
import type { TestDatabase } from './test-database.ts'

export interface ProxiedBench {
  readonly proxy: TcpProxy
  readonly proxied: Bench
  readonly straight: Bench
  readonly database: TestDatabase
}

export interface ProxiedBenchOptions {
  /** Default: the server of the run. */
  readonly server?: string
  readonly statementTimeoutMs?: number
  /** How many the stores may have. Default: as many as usual. */
  readonly connections?: number
  /** Default: as long as usual. */
  readonly patienceMs?: number
}

const SILENT = { info: () => undefined, warn: () => undefined, error: () => undefined }

export async function openProxiedBench(context: TestContext, options: ProxiedBenchOptions = {}): Promise<ProxiedBench> {
  const { server = await postgresUrl(), statementTimeoutMs = 5_000, connections, patienceMs } = options
  const database = await postgresDatabase({ server })
  const proxy = await openTcpProxy(server)
  const runtime = systemRuntime()
  const open = (url: string): Promise<Store> =>
    openPostgresStore({
      url,
      schema: database.options.schema ?? '',
      runtime,
      logger: SILENT,
      statementTimeoutMs,
      ...(connections === undefined ? {} : { connections }),
      ...(patienceMs === undefined ? {} : { patienceMs }),
    })
  const stores = [await open(server), await open(proxy.through(server))]
  context.after(async () => {
    proxy.letPass()
    for (const store of stores) await store.close()
    await proxy.close()
    await database.drop()
  })
  const [straight, proxied] = stores.map((store) =>
    benchOf({ store, runtime, advance: () => undefined, close: () => store.close() }),
  )
  if (straight === undefined || proxied === undefined) throw new RangeError('there are two stores')
  return { proxy, proxied, straight, database }
}
