/** The immediates that were there when this was loaded: where a test replaces timers, what the store has answered must arrive all the same. */
export const { setImmediate, clearImmediate } = globalThis
