/**
 * Hosts of their own on one machine: network namespaces, each with a cable to this one that can be pulled. Only root may make them, and only
 * Linux has them.
 */
import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'

export interface NetworkHost {
  /** Where this machine is for it. */
  readonly gateway: string
  /** What starts a program there. */
  readonly command: readonly string[]
  pullCable(): void
  plugIn(): void
  remove(): void
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' })
}

/** Null, and why: it can't be done here. */
export function newNetworkHost(): NetworkHost | { readonly problem: string } {
  // Names of interfaces have at most 15 characters, and addresses are private ones that few networks use.
  const number = randomInt(0, 1 << 14)
  const name = `millrace${number}`
  const network = `10.213.${number >> 6}.${(number & 63) * 4}`
  const base = network.slice(0, network.lastIndexOf('.') + 1)
  const first = (number & 63) * 4 + 1
  const gateway = `${base}${first}`
  const remove = (): void => {
    ip('netns', 'delete', name)
  }
  try {
    ip('netns', 'add', name)
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
  try {
    ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    ip('address', 'add', `${gateway}/30`, 'dev', name)
    ip('link', 'set', name, 'up')
    for (const inside of [
      ['address', 'add', `${base}${first + 1}/30`, 'dev', 'eth0'],
      ['link', 'set', 'lo', 'up'],
      ['link', 'set', 'eth0', 'up'],
    ]) {
      ip('netns', 'exec', name, 'ip', ...inside)
    }
  } catch (error) {
    remove()
    return { problem: error instanceof Error ? error.message : String(error) }
  }
  return {
    gateway,
    command: ['ip', 'netns', 'exec', name],
    pullCable: () => ip('link', 'set', name, 'down'),
    plugIn: () => ip('link', 'set', name, 'up'),
    remove,
  }
}
