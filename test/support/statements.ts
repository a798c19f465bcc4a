/** What statements of the PostgreSQL store are about, as a proxy sees them. */
import type { Exchange } from './proxied-connection.ts'

/** The COMMIT of a transaction that may have written something. */
export function isCommit({ statements, transaction }: Exchange): boolean {
  return statements.at(-1) === 'COMMIT' && !transaction.some((statement) => statement.includes('READ ONLY'))
}
