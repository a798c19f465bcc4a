const WITH_TEXT = new Set(['-e', '--eval', '-p', '--print', '-pe'])
const NOT_FOR_HANDLERS = /^--?(?:inspect|debug|test|watch|check|interactive|input-type|cpu-prof|heap-prof|[ci]$)/

/** The flags of a process that its handlers need too, as a loader; not those that are for its main program alone, as a debugger's port. */
export function flagsFor(flags: readonly string[]): readonly string[] {
  return flags.filter((flag, index) => {
    const before = flags[index - 1]
    if (WITH_TEXT.has(flag) || (before !== undefined && WITH_TEXT.has(before))) return false
    // A value that stands for itself goes with its flag.
    const isValueOfDropped = !flag.startsWith('-') && before !== undefined && isDropped(before)
    return !isDropped(flag) && !isValueOfDropped
  })
}

function isDropped(flag: string): boolean {
  return NOT_FOR_HANDLERS.test(flag)
}
