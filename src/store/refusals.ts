/** What every store says alike of acts that it is in no state for. */
import { MillraceError } from '../core/errors.ts'

export function storeClosed(): MillraceError {
  return new MillraceError('store-closed', 'This Millrace has been closed: open another one, or close it later.')
}

export function alreadyInTransaction(): MillraceError {
  return new MillraceError(
    'option-invalid',
    'The connection has a transaction open already. Enqueue into it with enqueueIn, or commit it first.',
  )
}

export function endedByBody(): MillraceError {
  return new MillraceError(
    'not-in-transaction',
    'The transaction was ended inside its own body. Leave COMMIT and ROLLBACK to mill.transaction(): it rolls back when the body throws.',
  )
}

export function notInTransaction(): MillraceError {
  return new MillraceError(
    'not-in-transaction',
    'The connection has no open transaction, so there is nothing to be committed with. Begin one, or use mill.transaction(connection, fn), or plain enqueue.',
  )
}
