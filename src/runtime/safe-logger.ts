import type { Logger } from './logger.ts'

/** A logger that swallows what the logger itself throws: a full disk under a log must not fail a job. */
export function safeLogger(logger: Logger): Logger {
  return {
    // Asked each time: loggers let their level be changed while they are used.
    get infoWanted() {
      return isInfoWanted(logger)
    },
    info: (message, fields) => quietly(() => logger.info(message, fields)),
    warn: (message, fields) => quietly(() => logger.warn(message, fields)),
    error: (message, fields) => quietly(() => logger.error(message, fields)),
  }
}

function isInfoWanted(logger: Logger): boolean {
  try {
    return logger.infoWanted !== false
  } catch {
    return true
  }
}

function quietly(log: () => void): void {
  try {
    log()
  } catch {
    // There is nobody left to tell.
  }
}
