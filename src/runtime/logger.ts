/** Any logger will do that takes a message and fields: the console, pino with its arguments turned round, or your own. */
export interface Logger {
  /**
   * False: what is said by `info` goes nowhere, so that it need not be made up, which is two lines for every job. It is read each time; a
   * getter may follow the logger's level. Default true.
   */
  readonly infoWanted?: boolean
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

export type LogFields = Readonly<Record<string, unknown>>
