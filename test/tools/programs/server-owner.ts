/** Asks for the server as test files do, tells where it is, and ends with its parent's channel. */
import { postgresUrl } from '../../support/postgres-server.ts'

const urls = await Promise.all([postgresUrl(), postgresUrl()])
process.channel?.ref()
process.send?.(urls)
