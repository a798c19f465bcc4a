import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'

const SIGNALS = join(import.meta.dirname, '../../src/runtime/signals.ts')

interface Child {
  readonly process: ChildProcess
  readonly lines: AsyncIterator<string, undefined>
}

/** A process that says what happens to it, and never ends by itself. */
function startChild(): Child {
  const program = `
    import { onStopSignal } from ${JSON.stringify(SIGNALS)}
    process.stdin.resume()
    const remove = onStopSignal((signal) => console.log('first ' + signal))
    process.stdin.on('data', () => { remove(); console.log('removed') })
    console.log('ready')`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  assert(child.stdout !== null)
  return { process: child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() }
}

async function nextLine({ lines }: Child): Promise<string> {
  const line: IteratorResult<string, undefined> = await lines.next()
  return line.value ?? 'no more lines'
}

const unlessWindows = { skip: process.platform === 'win32' && 'Windows has no signals to send' }

for (const [signal, code] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const) {
  test(`the first ${signal} calls back, the second ends the process at once with ${code}`, unlessWindows, async () => {
    const child = startChild()
    assert.equal(await nextLine(child), 'ready')
    child.process.kill(signal)
    assert.equal(await nextLine(child), `first ${signal}`)
    child.process.kill(signal)
    assert.deepEqual(await once(child.process, 'exit'), [code, null])
  })
}

test('signals do what they always did once the listener is removed', unlessWindows, async () => {
  const child = startChild()
  assert.equal(await nextLine(child), 'ready')
  child.process.stdin?.write('go\n')
  assert.equal(await nextLine(child), 'removed')
  child.process.kill('SIGTERM')
  assert.deepEqual(await once(child.process, 'exit'), [null, 'SIGTERM'])
})
