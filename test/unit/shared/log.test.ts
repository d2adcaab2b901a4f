import t from 'tap'
import { createLog, LOG_LEVELS } from '../../../shared/log.ts'
import { captureLog } from '../../fixtures/log-lines.ts'
import { ManualClock } from '../../fixtures/manual-clock.ts'

t.test('a line is JSON with its time, level by name, event and message', async (t) => {
  const { log, lines } = captureLog('info')
  log.child({ accountId: 'a' }).info({ event: 'child.exited', code: 1 }, 'Worker')
  const [line] = lines()
  t.match(line, { level: 'info', event: 'child.exited', accountId: 'a', code: 1, msg: 'Worker' })
  t.match(line?.['time'], /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  t.notOk(line !== undefined && ('pid' in line || 'hostname' in line), 'the journal knows both')
})

t.test('secrets are cut out, at the top and one level down, also of a child logger', async (t) => {
  for (const field of ['authorization', 'token', 'qr', 'creds', 'keys']) {
    const { log, text } = captureLog()
    log.info({ [field]: 'hunter2' }, 'x')
    log.info({ inner: { [field]: 'hunter2' } }, 'x')
    log.info({ [field]: { private: 'hunter2' } }, 'x')
    log.child({ accountId: 'a' }).warn({ headers: { [field]: ['hunter2'] } }, 'x')
    t.notMatch(text(), 'hunter2', field)
    t.equal(text().split('[redacted]').length, 5, field)
  }
})

t.test('the level is kept', async (t) => {
  for (const level of LOG_LEVELS) {
    const { log, lines } = captureLog(level)
    for (const each of ['fatal', 'error', 'warn', 'info', 'debug'] as const) log[each]({ event: 'x.y' }, 'x')
    t.equal(lines().length, level === 'silent' ? 0 : LOG_LEVELS.indexOf(level) + 1, level)
  }
})

t.test('a flood of one event is counted, not printed; the others and debug lines go on', async (t) => {
  const { log, lines } = captureLog('debug')
  for (let i = 0; i < 1000; i++) log.warn({ event: 'loop.failed', i }, 'x')
  log.warn({ event: 'loop.failed', accountId: 'b' }, 'x')
  log.info({ event: 'other.happened' }, 'x')
  for (let i = 0; i < 200; i++) log.debug({ event: 'detail.seen' }, 'x')
  const count = (event: string): number => lines().filter((line) => line['event'] === event).length
  t.equal(count('loop.failed'), 101)
  t.equal(count('other.happened'), 1)
  t.equal(count('detail.seen'), 200)
})

t.test('what a flood lost is said when its minute is over, and at the end', async (t) => {
  const clock = new ManualClock()
  const lines: Record<string, unknown>[] = []
  const keep = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) }
  const log = createLog('info', keep, clock, { linesPerWindow: 2, windowMs: 1000 }).child({ accountId: 'a' })
  const flood = (): void => {
    for (let i = 0; i < 5; i++) log.warn({ event: 'loop.failed' }, 'x')
  }
  flood()
  t.equal(lines.length, 2)
  clock.advance(1000)
  t.match(lines[2], { level: 'warn', event: 'loop.failed', accountId: 'a', suppressed: 3 })
  t.equal(lines.length, 3)
  t.equal(clock.pending, 0, 'nothing waits where nothing was lost')
  flood()
  log.flush()
  t.match(lines.at(-1), { event: 'loop.failed', suppressed: 3 })
})

t.test('every destination gets every line, and is asked for its last at the end', async (t) => {
  const seen: string[] = []
  const to = (name: string) => ({
    write: () => void seen.push(name),
    flushSync: () => void seen.push(`${name} flushed`),
  })
  const log = createLog('info', [to('a'), to('b')])
  log.info({ event: 'x.y' }, 'x')
  log.flush()
  t.strictSame(seen, ['a', 'b', 'a flushed', 'b flushed'])
})
