/** When the code of an attempt came to rest, which is not when the attempt ended: a handler may run on after its job has ended without it. */

/**
 * What ended the code of an attempt. `handler`: it did so itself, by returning, by throwing, or by bringing down its thread or process.
 * `terminate`: its thread was ended. `SIGTERM` and `SIGKILL`: its process was, by that signal.
 */
export type StoppedBy = 'handler' | 'terminate' | 'SIGTERM' | 'SIGKILL'

/** The one thing that may be written without a claim: by the session that held the attempt, once, and on the row of that attempt alone. */
export interface StopNote {
  readonly jobId: string
  readonly attempt: number
  /** Key of the session that held it, open or not. */
  readonly holder: number
  readonly stoppedBy: StoppedBy
}
