#!/usr/bin/env node
/**
 * The command `millrace`. Before it imports anything it makes sure that this Node can run Millrace, in words that an older Node can read:
 * so nothing in here is newer than Node 18, and the rule of src/client/node-version.ts stands here once more.
 */
const [major = 0, minor = 0, patch = 0] = process.versions.node.split('.').map(Number)
const isNew = major > 24 || (major === 24 && minor >= 15)
const isMended = major === 22 && (minor > 22 || (minor === 22 && patch >= 3))

async function run(): Promise<void> {
  const { main } = await import('./main.ts')
  await main(process.argv)
}

if (isNew || isMended) {
  void run()
} else {
  console.error(
    `Millrace needs Node 24.15 or newer, or 22.22.3 and later of 22, and this is ${process.versions.node}: install Node 24 from https://nodejs.org.`,
  )
  process.exitCode = 1
}
