import type { Logger } from './logger.ts'

/** A logger that swallows what the logger itself throws: a full disk under a log must not fail a job. */
export function safeLogger(logger: Logger): Logger {
  return {
    infoWanted: logger.infoWanted !== false,
    info: (message, fields) => quietly(() => logger.info(message, fields)),
    warn: (message, fields) => quietly(() => logger.warn(message, fields)),
    error: (message, fields) => quietly(() => logger.error(message, fields)),
  }
}

function quietly(log: () => void): void {
  try {
    log()
  } catch {
    // There is nobody left to tell.
  }
}
