export type RawName = 'raw' | 'raw-no-events' | 'raw-no-guard' | 'raw-normal'

/** What a variant leaves out, to see what it costs. */
export interface RawLayers {
  readonly label: string
  readonly events: boolean
  /** Without it no fence is raised or asked for. The holder stays: it is by it that a batch finds its rows, at no cost of its own. */
  readonly guard: boolean
  readonly synchronous: 'FULL' | 'NORMAL'
}

export const RAW_LAYERS: Readonly<Record<RawName, RawLayers>> = {
  raw: { label: 'raw node:sqlite', events: true, guard: true, synchronous: 'FULL' },
  'raw-no-events': { label: 'without events', events: false, guard: true, synchronous: 'FULL' },
  'raw-no-guard': { label: 'without the fence', events: true, guard: false, synchronous: 'FULL' },
  'raw-normal': { label: 'synchronous NORMAL', events: true, guard: true, synchronous: 'NORMAL' },
}
