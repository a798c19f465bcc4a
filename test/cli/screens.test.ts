/** What the command line draws, without a process. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { readingLine } from '../../src/cli/check-commands.ts'
import { jobLines } from '../../src/cli/job-page.ts'
import { liveLines } from '../../src/cli/live-lines.ts'
import { formatLogger } from '../../src/cli/log-format.ts'
import type { LogFormat } from '../../src/cli/log-format.ts'
import { exitCodeOf } from '../../src/cli/exit-codes.ts'
import { readDuration, readInstant, readJson, readLabel, readNumber, readWords } from '../../src/cli/option-readers.ts'
import { bar, formatAge, formatSize, formatSpan } from '../../src/cli/moments.ts'
import { afterEvent, pendingPhases } from '../../src/cli/phase-progress.ts'
import { clipped, printable, printableLines } from '../../src/cli/printable.ts'
import { tableLines } from '../../src/cli/table.ts'
import {
  ConflictError,
  defineJob,
  ForbiddenError,
  InvalidInputError,
  MillraceError,
  NotFoundError,
} from '../../src/index.ts'
import type { EventName, Job, JobEvent } from '../../src/index.ts'

const plain = (_style: string, text: string): string => text

describe('a text from a job', () => {
  test('can not move the cursor, colour or turn what a terminal shows', () => {
    assert.equal(printable('a\u001b[2Jb\u0007c\u202edef\u009bx'), 'a\\u001b[2Jb\\u0007c\\u202edef\\u009bx')
    assert.equal(printable('one\n   two\ttab'), 'one two\\u0009tab')
    assert.equal(printableLines('{\n\t"a": "\u001b"\n}'), '{\n  "a": "\\u001b"\n}')
  })

  test('keeps every other letter', () => {
    const text = 'Kärtchen 東京 🗺 "quoted"'
    assert.equal(printable(text), text)
  })

  test('is clipped by characters, not in the middle of one', () => {
    assert.equal(clipped('🗺🗺🗺🗺', 3), '🗺🗺…')
    assert.equal(clipped('abc', 3), 'abc')
  })
})

describe('times and sizes', () => {
  const spans: readonly (readonly [number, string])[] = [
    [0, '0ms'],
    [999, '999ms'],
    [1_000, '1.0s'],
    [2_390, '2.3s'],
    [10_000, '10s'],
    [72_500, '1m 12s'],
    [3_600_000, '1h'],
    [11_040_000, '3h 4m'],
    [183_600_000, '2d 3h'],
  ]
  for (const [ms, told] of spans) test(`${ms} ms are ${told}`, () => assert.equal(formatSpan(ms), told))

  test('say whether something was or will be', () => {
    assert.equal(formatAge(5_000, 7_000), '2.0s ago')
    assert.equal(formatAge(67_000, 7_000), 'in 1m')
  })

  test('are in units of a thousand', () => {
    assert.deepEqual([0, 812, 1_634_033, 2e12].map(formatSize), ['0 B', '812 B', '1.6 MB', '2.0 TB'])
  })

  test('draw a bar that is never longer than it may be', () => {
    assert.deepEqual(
      [bar(0, 4), bar(50, 4), bar(100, 4), bar(180, 4), bar(-1, 4)],
      ['░░░░', '██░░', '████', '████', '░░░░'],
    )
  })
})

test('a table is as wide as its cells, and its last column gives way', () => {
  const columns = [{ title: 'ID' }, { title: '%', align: 'right' }, { title: 'WHAT' }] as const
  const rows = [
    ['a-1', '5', 'short'],
    ['b', '100', 'something long'],
  ]
  const lines = (width: number): readonly string[] => tableLines({ columns, rows, width, paintTitle: (title) => title })
  assert.deepEqual(lines(Number.POSITIVE_INFINITY), ['ID     %  WHAT', 'a-1    5  short', 'b    100  something long'])
  assert.deepEqual(lines(18), ['ID     %  WHAT', 'a-1    5  short', 'b    100  somethi…'])
})

describe('the words of a command line', () => {
  test('become what they say', () => {
    assert.deepEqual([readNumber('-3'), readDuration('5m'), readDuration('300')], [-3, '5m', 300])
    assert.deepEqual([readInstant('2026-01-31T12:00Z'), readInstant('12')], [Date.UTC(2026, 0, 31, 12), 12])
    assert.deepEqual(readLabel('b=2=3', { a: '1' }), { a: '1', b: '2=3' })
    assert.deepEqual(readWords('queued,running', ['failed']), ['failed', 'queued', 'running'])
    assert.deepEqual(readJson('{"a":[1]}'), { a: [1] })
  })

  const refused: readonly (readonly [string, () => unknown])[] = [
    ['a number', () => readNumber('many')],
    ['an empty number', () => readNumber(' ')],
    ['an instant', () => readInstant('tomorrow')],
    ['a label without a name', () => readLabel('=c-12')],
    ['a label without a text', () => readLabel('course')],
    ['JSON', () => readJson('ann')],
    ['a file', () => readJson('@./no-such-file.json')],
  ]
  for (const [what, read] of refused) {
    test(`are refused where they are not ${what}`, () => assert.throws(read, { code: 'commander.invalidArgument' }))
  }
})

test('an error has the exit code that the help tells', () => {
  const codes = [
    new RangeError('a bug'),
    new MillraceError('job-failed', ''),
    new InvalidInputError({ path: 'limit', expected: '' }),
    new MillraceError('url-invalid', ''),
    new NotFoundError('job-not-found', ''),
    new ConflictError('job-final', ''),
    new ForbiddenError('forbidden', ''),
    new MillraceError('owner-conflict', ''),
    new MillraceError('store-damaged', ''),
    new MillraceError('thread-missing', ''),
    new MillraceError('wait-timeout', ''),
  ].map(exitCodeOf)
  assert.deepEqual(codes, [1, 1, 2, 2, 3, 4, 4, 4, 5, 5, 6])
})

describe('live lines', () => {
  test('are drawn in their place, and other lines go above them', () => {
    const written: string[] = []
    const lines = liveLines((text) => written.push(text))
    lines.draw(['one', 'two'])
    lines.draw(['ONE', 'two'])
    lines.above('a log line')
    lines.end()
    lines.draw(['next'])
    assert.deepEqual(written, [
      '\r\u001b[0Jone\ntwo\n',
      '\u001b[2A\r\u001b[0JONE\ntwo\n',
      '\u001b[2A\r\u001b[0Ja log line\nONE\ntwo\n',
      '\r\u001b[0Jnext\n',
    ])
  })
})

test('a deep look tells how much of the bytes it has read', () => {
  const half = readingLine({ bytesRead: 1_400_000, bytesTotal: 2_800_000 })
  assert.equal(half, `${'█'.repeat(12)}${'░'.repeat(12)} 50 %  1.4 MB of 2.8 MB read`)
  assert.match(readingLine({ bytesRead: 0, bytesTotal: 0 }), / 100 % {2}0 B of 0 B read$/)
})

describe('the phases of a job that is followed', () => {
  let seq = 0
  const event = (name: EventName, at: number, detail: JobEvent['detail'] = {}): JobEvent => {
    seq += 1
    return { position: seq, jobId: 'j', type: 't', seq, name, at, attempt: 1, detail }
  }
  const after = (...events: readonly JobEvent[]): readonly string[] =>
    events
      .reduce(afterEvent, pendingPhases(['load', 'render', 'store']))
      .map(({ state, percent, error }) => `${state} ${percent}${error === null ? '' : ` ${error}`}`)
  const started = event('job:started', 1, { phase: 'load' })
  const loaded = event('phase:completed', 2, { phase: 'load', next: 'render' })

  test('run one after the other', () => {
    assert.deepEqual(after(event('job:queued', 0)), ['pending 0', 'pending 0', 'pending 0'])
    assert.deepEqual(after(started), ['running 0', 'pending 0', 'pending 0'])
    assert.deepEqual(after(started, loaded), ['done 100', 'running 0', 'pending 0'])
  })

  test('tell their own share of the progress', () => {
    const half = event('job:progress', 3, { percent: 50, phase: 'render' })
    assert.deepEqual(after(started, loaded, half), ['done 100', 'running 50', 'pending 0'])
  })

  test('fail, and are taken up where they failed', () => {
    const failed = event('job:retrying', 3, { error: { name: 'Error', message: 'no paper' } })
    assert.deepEqual(after(started, loaded, failed), ['done 100', 'pending 0 no paper', 'pending 0'])
    const again = event('job:started', 4, { phase: 'render' })
    assert.deepEqual(after(started, loaded, failed, again), ['done 100', 'running 0', 'pending 0'])
    const final = event('job:failed', 5, { error: { name: 'Error', message: 'no ink' } })
    assert.deepEqual(after(started, loaded, failed, again, final), ['done 100', 'failed 0 no ink', 'pending 0'])
  })

  test('begin afresh with a retry from the start', () => {
    const failed = event('job:failed', 3)
    const queued = event('job:queued', 4, { cause: 'retry' })
    assert.deepEqual(after(started, loaded, failed, queued, started), ['running 0', 'pending 0', 'pending 0'])
  })

  test('are all done, or all cancelled that were not', () => {
    assert.deepEqual(after(started, loaded, event('job:completed', 9)), ['done 100', 'done 100', 'done 100'])
    assert.deepEqual(after(started, loaded, event('job:cancelled', 9)), ['done 100', 'cancelled 0', 'cancelled 0'])
  })
})

describe('a log line', () => {
  const logged = (format: LogFormat, message: string, fields?: Readonly<Record<string, unknown>>): string => {
    const lines: string[] = []
    const logger = formatLogger({ format, runtime: { now: () => 0 }, write: (line) => lines.push(line), paint: plain })
    logger.warn(message, fields)
    return lines.join('\n')
  }

  test('is one JSON object', () => {
    const line = logged('json', 'JOB_LOST', { jobId: 'j', error: new RangeError('no disk'), count: 7n })
    const { error, ...rest } = JSON.parse(line) as { readonly error: { readonly message: string } }
    assert.deepEqual(rest, { time: 0, level: 'warn', msg: 'JOB_LOST', jobId: 'j', count: '7' })
    assert.equal(error.message, 'no disk')
    assert.ok(!line.includes('\n'))
  })

  test('has its tag in brackets', () => {
    assert.equal(logged('tagged', 'JOB_START', { jobId: 'j' }), '[JOB_START] {"jobId":"j"}')
    assert.equal(logged('tagged', 'The disk is full.'), '[WARN] {"message":"The disk is full."}')
  })

  test('is short for people, and one line', () => {
    const line = logged('pretty', 'JOB_FAILED', {
      error: 'no\npaper\u001b[2J',
      durationMs: 2_300,
      entityId: undefined,
      list: [1],
    })
    assert.match(line, /^\d\d:\d\d:\d\d warn {2}JOB_FAILED error=no paper\\u001b\[2J durationMs=2\.3s list=\[1\]$/)
  })
})

describe('the page of a job', () => {
  const { policy } = defineJob('map.export', { service: 'workers', phases: ['load', 'render', 'store'] })
  const error = {
    name: 'TypeError',
    message: 'no paper in drawer 3',
    stack: 'TypeError: no paper\n    at press (/srv/press.ts:3:1)',
    code: 'E_PRESS',
    verdict: { fatal: true, rule: 'not-found', retryAfterMs: null },
    context: { page: 3 },
  }
  const worker = { service: 'workers', host: 'mill-1', pid: 7 }
  const phase = { startedAt: 61_000, finishedAt: 62_500, attempts: 1, result: null, error: null }
  const job: Job<undefined> = {
    id: '019b7613-6800-7000-8000-000000000001',
    type: 'map.export',
    queue: 'maps',
    service: 'workers',
    state: 'failed',
    tenant: 'acme',
    owner: 'ann\u001b[31m',
    labels: { course: 'c-12' },
    priority: -3,
    key: null,
    unique: null,
    progress: 33.3,
    phase: 'render',
    phaseNames: ['load', 'render', 'store'],
    attempt: 2,
    failures: 2,
    strikes: 1,
    suspect: false,
    lostAttempts: 2,
    releasedAttempts: 1,
    generation: 2,
    fence: 4,
    eventSeq: 9,
    policy,
    createdAt: 60_000,
    updatedAt: 65_000,
    runAt: 60_000,
    startedAt: 61_000,
    phaseStartedAt: 62_500,
    finishedAt: 65_000,
    deadlineAt: null,
    cancelRequestedAt: null,
    cancelledAt: null,
    cancelledBy: null,
    cancelReason: null,
    input: { region: 'FRA', note: '\u001b' },
    output: null,
    error,
    phases: [
      { ...phase, name: 'load', state: 'done' },
      { ...phase, name: 'render', state: 'failed', finishedAt: null, attempts: 2, error },
      { ...phase, name: 'store', state: 'pending', startedAt: null, finishedAt: null, attempts: 0 },
    ],
    attempts: [
      {
        attempt: 2,
        generation: 2,
        startedAt: 61_000,
        endedAt: 65_000,
        outcome: 'failed',
        phase: 'render',
        progress: 33.3,
        error,
        stoppedAt: 65_000,
        stoppedBy: 'handler',
        worker,
      },
    ],
    worker,
  }
  const artifact = {
    id: 'a',
    jobId: job.id,
    generation: 2,
    attempt: 2,
    phase: 'load',
    name: 'map.png',
    contentType: 'image/png',
    sizeBytes: 1_634_033,
    sha256: 'ab',
    createdAt: 62_000,
    expiresAt: null,
    isThere: true,
    path: '/srv/artifacts/a',
  }

  test('tells phases, attempts, the error and artifacts', () => {
    const lines = jobLines(
      {
        job,
        artifacts: [artifact, { ...artifact, path: null }, { ...artifact, isThere: false, path: null }],
        lastAct: {
          position: 9,
          jobId: job.id,
          type: job.type,
          seq: 4,
          name: 'job:queued',
          at: 65_000,
          attempt: 1,
          detail: { cause: 'retry', actor: 'ann\u001b' },
        },
        now: 125_000,
      },
      { width: 100, paint: plain },
    )
    const text = lines.join('\n')
    assert.match(text, /^map\.export {2}failed\n019b7613-/)
    assert.match(text, /^█+░+ {2}33 %$/m)
    assert.match(text, /^tenant {4}acme$/m)
    assert.match(text, /^owner {5}ann\\u001b\[31m$/m)
    assert.match(text, /^queued {4}retried by ann\\u001b 1m ago$/m)
    assert.match(text, /^finished {2}\S+ \S+ \(1m ago\)$/m)
    assert.match(text, /^tries {5}2, 2 of at most 3 failed, 2 lost, 1 given back, generation 2, 1 of 3 strikes$/m)
    assert.match(text, /^ {2}✔ load {4}done +1\.5s$/m)
    assert.match(text, /^ {2}✖ render {2}failed +2 attempts {2}no paper in drawer 3$/m)
    assert.match(text, /^ {2}· store {3}pending$/m)
    assert.match(
      text,
      /^ {2}2 {2}failed +render {2}33 % {2}4\.0s {2}handler {2}TypeError: no paper in drawer 3 \(fatal: not-found\)$/m,
    )
    assert.match(text, /^ {2}code E_PRESS\n {2}fatal by the rule not-found\n {2}context \{"page":3\}\n {2}at press/m)
    assert.match(text, /^ {2}map\.png {2}image\/png, 1\.6 MB\n {4}\/srv\/artifacts\/a$/m)
    assert.match(text, /^ {4}in the database: millrace download a$/m)
    assert.match(text, /^ {4}its bytes are gone$/m)
    assert.ok(!text.includes('\u001b'))
  })

  test('tells what ended the code of each attempt, and when, if that was later', () => {
    const [attempt] = job.attempts
    assert.ok(attempt !== undefined)
    const cut = { ...attempt, error: null, outcome: 'cancelled' } as const
    const attempts: Job['attempts'] = [
      { ...cut, attempt: 1, stoppedAt: 70_200, stoppedBy: 'SIGKILL' },
      { ...cut, attempt: 2, outcome: 'lost', stoppedAt: null, stoppedBy: null },
      { ...cut, attempt: 3, outcome: 'running', endedAt: null, stoppedAt: null, stoppedBy: null },
    ]
    const lines = jobLines(
      { job: { ...job, attempts }, artifacts: [], lastAct: null, now: 125_000 },
      { width: 100, paint: plain },
    )
    const from = lines.findIndex((line) => line.includes('STOPPED'))
    assert.deepEqual(
      lines.slice(from, from + 4).map((line) => line.trimEnd()),
      [
        '  #  OUTCOME    PHASE     AT   TOOK  STOPPED             WHY',
        '  1  cancelled  render  33 %   4.0s  SIGKILL 5.2s later',
        '  2  lost       render  33 %   4.0s  not known',
        '  3  running    render  33 %  1m 4s',
      ],
    )
  })

  test('keeps within a narrow terminal', () => {
    const lines = jobLines({ job, artifacts: [], lastAct: null, now: 125_000 }, { width: 50, paint: plain })
    const tooWide = lines.filter(
      (line) => [...line].length > 50 && !line.includes('TypeError') && !line.includes('OUTCOME'),
    )
    assert.deepEqual(tooWide, [])
  })
})
