/** Any logger will do that takes a message and fields: the console, pino with its arguments turned round, or your own. */
export interface Logger {
  /** False: what is said by `info` goes nowhere, so nobody need make it up. Default true. */
  readonly infoWanted?: boolean
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

export type LogFields = Readonly<Record<string, unknown>>
