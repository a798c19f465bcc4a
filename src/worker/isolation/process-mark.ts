/** The argument that tells a process to run handlers; the URL of their module follows it. */
export const PROCESS_MARK = '--run-handlers-of'
