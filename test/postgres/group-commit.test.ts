/** Which calls share a commit, which go beside it, and that none is forgotten. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { MillraceError } from '../../src/core/errors.ts'
import { GroupCommit } from '../../src/postgres/group-commit.ts'
import { nextTurn } from '../support/wait-for-event.ts'

const MOST = 3

interface Batch {
  readonly calls: readonly string[]
  readonly commit: () => void
}

interface Bench {
  readonly group: GroupCommit<string, string>
  /** In the order in which they were begun. */
  readonly batches: Batch[]
}

/** A call's key is its first letter. */
function newBench(lanes: number): Bench {
  const batches: Batch[] = []
  const group = new GroupCommit<string, string>({
    most: MOST,
    lanes,
    keyOf: (call) => call.slice(0, 1),
    weigh: () => 1,
    run: (calls) =>
      new Promise((resolve) => {
        batches.push({ calls, commit: () => resolve(calls.map((call) => `${call}!`)) })
      }),
    asError: () => new MillraceError('internal', 'a test'),
  })
  return { group, batches }
}

const callsOf = ({ batches }: Bench): readonly string[] => batches.map(({ calls }) => calls.join(' '))

describe('calls that arrive while a commit is under way', () => {
  test('wait for it together while they fill no batch', async () => {
    const bench = newBench(2)
    const answers = ['a1', 'b1', 'c1', 'd1', 'e1'].map((call) => bench.group.call(call))
    await nextTurn()
    assert.deepEqual(callsOf(bench), ['a1 b1 c1'])
    bench.batches[0]?.commit()
    await nextTurn()
    assert.deepEqual(callsOf(bench), ['a1 b1 c1', 'd1 e1'])
    bench.batches[1]?.commit()
    assert.deepEqual(await Promise.all(answers), ['a1!', 'b1!', 'c1!', 'd1!', 'e1!'])
  })

  test('go beside it once they fill a batch, as many at a time as there are lanes', async () => {
    const bench = newBench(2)
    void bench.group.call('a1')
    await nextTurn()
    for (const call of ['b1', 'c1', 'd1', 'e1', 'f1', 'g1', 'h1']) void bench.group.call(call)
    await nextTurn()
    assert.deepEqual(callsOf(bench), ['a1', 'b1 c1 d1'])
    bench.batches[1]?.commit()
    await nextTurn()
    assert.deepEqual(callsOf(bench), ['a1', 'b1 c1 d1', 'e1 f1 g1'])
    bench.batches[0]?.commit()
    await nextTurn()
    assert.equal(bench.batches.length, 3, 'one that is left fills no batch')
    bench.batches[2]?.commit()
    await nextTurn()
    assert.deepEqual(callsOf(bench).at(-1), 'h1')
  })

  test('wait all the same where there is one lane', async () => {
    const bench = newBench(1)
    for (const call of ['a1', 'b1', 'c1', 'd1', 'e1', 'f1']) void bench.group.call(call)
    await nextTurn()
    assert.deepEqual(callsOf(bench), ['a1 b1 c1'])
  })

  test('keep their order with those of the same key that are under way', async () => {
    const bench = newBench(2)
    void bench.group.call('a1')
    await nextTurn()
    for (const call of ['a2', 'b1', 'a3', 'c1', 'd1']) void bench.group.call(call)
    await nextTurn()
    assert.deepEqual(callsOf(bench), ['a1', 'b1 c1 d1'])
    bench.batches[0]?.commit()
    await nextTurn()
    bench.batches[1]?.commit()
    await nextTurn()
    assert.deepEqual(callsOf(bench), ['a1', 'b1 c1 d1', 'a2 a3'])
  })
})

describe('calls of one caller', () => {
  test('are answered together, in their order, from as many batches as they fill', async () => {
    const bench = newBench(2)
    const answers = bench.group.callAll(['a1', 'b1', 'c1', 'd1'])
    await nextTurn()
    assert.deepEqual(callsOf(bench), ['a1 b1 c1'])
    bench.batches[0]?.commit()
    await nextTurn()
    bench.batches[1]?.commit()
    const expected = ['a1!', 'b1!', 'c1!', 'd1!'].map((answer) => ({ answer }))
    assert.deepEqual(await answers, expected)
    assert.deepEqual(await bench.group.callAll([]), [])
  })

  test('of which one fails are answered all the same', async () => {
    const refused = new MillraceError('internal', 'refused')
    const group = new GroupCommit<string, string>({
      most: 10,
      weigh: () => 1,
      run: async (calls) => {
        if (calls.includes('bad')) throw new Error('it is bad')
        return calls.map((call) => `${call}!`)
      },
      asError: () => refused,
    })
    assert.deepEqual(await group.callAll(['a1', 'bad', 'b1']), [
      { answer: 'a1!' },
      { error: refused },
      { answer: 'b1!' },
    ])
    await assert.rejects(group.call('bad'), refused)
  })
})

test('a call made in the moment in which the one before is answered is made too', async () => {
  const { group, batches } = newBench(2)
  const first = group.call('a1')
  await nextTurn()
  batches[0]?.commit()
  await first
  const second = group.call('a2')
  await nextTurn()
  batches[1]?.commit()
  assert.equal(await second, 'a2!')
})

test('it rests once all calls have been answered', async () => {
  const { group, batches } = newBench(2)
  await group.rest()
  let rested = false
  for (const call of ['a1', 'b1', 'c1', 'd1']) void group.call(call)
  void group.rest().then(() => (rested = true))
  await nextTurn()
  batches[0]?.commit()
  await nextTurn()
  assert.equal(rested, false)
  batches[1]?.commit()
  await nextTurn()
  assert.equal(rested, true)
})
