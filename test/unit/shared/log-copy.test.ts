import t from 'tap'
import type { LogLine } from '../../../shared/ipc.ts'
import { createLog } from '../../../shared/log.ts'
import { LogCopy, parseLogLine } from '../../../shared/log-copy.ts'
import { LogBook } from '../../../supervisor/feed/log-book.ts'
import { ManualClock, settle } from '../../fixtures/manual-clock.ts'

t.test('lines of the log are handed over as data, in batches, one at a time', async (t) => {
  const clock = new ManualClock()
  const given: { lines: LogLine[]; dropped: number }[] = []
  let done = (): void => undefined
  const copy = new LogCopy((lines, dropped) => {
    given.push({ lines, dropped })
    return new Promise((resolve) => (done = resolve))
  }, clock)
  const printed: string[] = []
  const log = createLog('debug', [{ write: (line: string) => void printed.push(line) }, copy]).child({ accountId: 'a' })
  log.info({ event: 'x.happened', n: 1, token: 'hunter2' }, 'X')
  log.debug({ event: 'x.looked' }, 'not for people')
  log.error('without fields')
  t.strictSame(given, [])
  clock.advance(100)
  t.match(given, [
    {
      dropped: 0,
      lines: [
        { level: 'info', event: 'x.happened', message: 'X', fields: { n: 1, token: '[redacted]' } },
        { level: 'error', event: null, message: 'without fields', fields: {} },
      ],
    },
  ])
  t.notOk('accountId' in (given[0]?.lines[0]?.fields ?? {}))
  // The channel takes nothing: the rest has room for a hundred.
  for (let i = 0; i < 150; i++) log.warn({ event: `e.${i}` }, 'more')
  clock.advance(10_000)
  t.equal(given.length, 1)
  done()
  await settle()
  clock.advance(100)
  t.equal(given[1]?.lines.length, 100)
  t.equal(given[1]?.dropped, 50)
  t.equal(printed.length, 153, 'the log itself has all of it')
})

t.test('what is no line of a log is none', async (t) => {
  for (const text of [
    '',
    'hello',
    '[]',
    'null',
    '{"level":"info"}',
    '{"level":"trace","time":"2026-01-01T00:00:00Z"}',
  ]) {
    t.equal(parseLogLine(text), undefined, text)
  }
  t.equal(
    parseLogLine(JSON.stringify({ level: 'info', time: '2026-01-01T00:00:00Z', msg: 'x'.repeat(9000) })),
    undefined,
  )
})

t.test('a book has the last lines of each account, numbered, and those of this process that name one', async (t) => {
  const book = new LogBook()
  const heard: [string, number][] = []
  const end = book.listen((accountId, { sequence }) => heard.push([accountId, sequence]))
  const line = { atMs: 1, level: 'info', event: null, message: '', fields: {} } as const
  for (let i = 0; i < 250; i++) book.add('a', [line])
  const log = createLog('info', book.destination)
  log.info({ event: 'child.spawned', accountId: 'a', pid: 1 }, 'Worker')
  log.info({ event: 'http.listening' }, 'HTTP')
  t.equal(book.of('a', 1000).length, 200)
  t.match(book.of('a', 1), [{ sequence: 251, event: 'child.spawned', fields: { pid: 1 } }])
  t.strictSame(heard.at(-1), ['a', 251])
  end()
  book.add('b', [line], 3)
  t.equal(heard.length, 251)
  t.equal(book.dropped, 3)
  book.forget('a')
  t.strictSame(book.of('a', 10), [])
  for (let i = 0; i < 1100; i++) book.add(`other-${i}`, [line])
  t.strictSame(book.of('b', 10), [], 'the quietest make room')
})
