import type { LogFields, Logger } from '../runtime/logger.ts'

/** Silent but for warnings and errors, which go to the console. */
export const CONSOLE_LOGGER: Logger = {
  infoWanted: false,
  info: () => undefined,
  warn: (message, fields) => {
    // oxlint-disable-next-line no-console -- the one place where the library speaks, unless it is given a logger
    console.warn(...line(message, fields))
  },
  error: (message, fields) => {
    // oxlint-disable-next-line no-console -- as above
    console.error(...line(message, fields))
  },
}

function line(message: string, fields: LogFields | undefined): readonly unknown[] {
  return fields === undefined ? [`millrace: ${message}`] : [`millrace: ${message}`, fields]
}
