import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { TestContext } from 'node:test'
import { hasEnded } from '../../src/core/process-death.ts'
import { machineProcesses } from '../../src/runtime/processes.ts'
import { writeTree } from '../support/temporary-tree.ts'

const PID = process.pid
const onLinux = { skip: process.platform !== 'linux' }

interface FakeKernel {
  readonly status?: string
  readonly stat?: string
}

/** What a kernel tells of this very process, as it may look elsewhere. */
function fakeKernel(context: TestContext, { status, stat }: FakeKernel = {}): string {
  const own = stat ?? `${PID} (node) S 1 1 1 0 -1 4194560 9 0 0 0 1 2 0 0 20 0 11 0 500 1 2 3`
  const folder = writeTree(context, {
    'self/status': status ?? `Name:\tnode\nNSpid:\t${PID}\n`,
    'self/stat': own,
    [`${PID}/stat`]: own,
    'sys/kernel/random/boot_id': 'boot-1\n',
  })
  mkdirSync(join(folder, 'self/ns'))
  symlinkSync('pid:[4026531836]', join(folder, 'self/ns/pid'))
  symlinkSync('time:[4026531834]', join(folder, 'self/ns/time'))
  return folder
}

describe('what a process is recognised by', () => {
  test('is its boot, its namespaces and its start', (context) => {
    assert.deepEqual(machineProcesses({ folder: fakeKernel(context) }).own, {
      bootId: 'boot-1',
      namespaces: 'pid:[4026531836] time:[4026531834]',
      startTick: 500,
    })
  })

  test('is found behind whatever a process calls itself', (context) => {
    const stat = `${PID} (a) S 1) R 1 1 1 0 -1 4194560 9 0 0 0 1 2 0 0 20 0 3 0 700 1 2 3`
    const { own, see } = machineProcesses({ folder: fakeKernel(context, { stat }) })
    assert.equal(own?.startTick, 700)
    assert.deepEqual(see(PID), { state: 'R', threads: 3, startTick: 700 })
  })

  test('is told without a namespace of time, which older kernels lack', (context) => {
    const folder = fakeKernel(context)
    rmSync(join(folder, 'self/ns/time'))
    assert.equal(machineProcesses({ folder }).own?.namespaces, 'pid:[4026531836] time')
  })

  test('is nothing where pids of another namespace stand in the folder', (context) => {
    const folder = fakeKernel(context, { status: `NSpid:\t4711\t${PID}\n` })
    assert.equal(machineProcesses({ folder }).own, null)
  })

  test('is nothing where it can not be read', (context) => {
    for (const missing of ['self/status', 'self/stat', 'sys/kernel/random/boot_id', 'self/ns/pid']) {
      const folder = fakeKernel(context)
      rmSync(join(folder, missing))
      assert.equal(machineProcesses({ folder }).own, null, missing)
    }
    const stat = `${PID} (node)`
    assert.equal(machineProcesses({ folder: fakeKernel(context, { stat }) }).own, null)
    assert.equal(machineProcesses({ folder: '/nowhere' }).own, null)
  })
})

describe('what is seen under a pid', () => {
  test('is unreadable where the folder hides a process that is there', (context) => {
    const folder = fakeKernel(context)
    rmSync(join(folder, `${PID}`), { recursive: true })
    assert.equal(machineProcesses({ folder }).see(PID), 'unreadable')
  })

  test('is unreadable where no process can have such a pid', () => {
    for (const pid of [0, -1, 1.5, Number.NaN]) assert.equal(machineProcesses().see(pid), 'unreadable')
  })

  test('is a living process, stopped or not, and nobody once it has ended', onLinux, async (context) => {
    const { own, see } = machineProcesses()
    assert.ok(own !== null)
    assert.equal(own.bootId, readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())
    const self = see(PID)
    assert.ok(typeof self === 'object' && self.startTick === own.startTick && !hasEnded(own.startTick, self))
    const child = spawn('sleep', ['60'])
    context.after(() => child.kill('SIGKILL'))
    await once(child, 'spawn')
    const pid = child.pid ?? -1
    const living = see(pid)
    assert.ok(typeof living === 'object' && living.startTick > own.startTick, 'it began after this one')
    child.kill('SIGSTOP')
    const stopped = see(pid)
    assert.ok(typeof stopped === 'object' && !hasEnded(living.startTick, stopped))
    child.kill('SIGKILL')
    await once(child, 'close')
    assert.equal(see(pid), 'nobody')
  })
})
