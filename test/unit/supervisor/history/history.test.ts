import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { ConnectionReport } from '../../../../shared/states.ts'
import { newAccount, Registry } from '../../../../supervisor/accounts/registry.ts'
import { History, type HistoryOptions } from '../../../../supervisor/history/history.ts'
import { recordOf } from '../../../fixtures/http-service.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'

const NOON = Date.parse('2026-03-10T12:00:00Z')
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const running = {
  state: { name: 'running', sinceMs: 0, heartbeatMs: 0, killed: false },
  generation: 1,
  failures: 0,
} as const
const report = (status: ConnectionReport['status'], reason: ConnectionReport['reason'] = null): ConnectionReport => {
  return { status, reason, code: status === 'disconnected' ? 428 : null, attempt: 0, nextTryAtMs: null }
}

interface Run {
  history: History
  clock: ManualClock
  become: (accountId: string, status: ConnectionReport['status'], reason?: ConnectionReport['reason']) => void
  logLines: () => { event?: string }[]
  registry: Registry
  past: (accountId: string, limit?: number) => Promise<string[]>
}

/** One life of a supervisor, that began at `startMs` with these accounts connected. */
async function begin(
  sessionsPath: string,
  startMs: number,
  accountIds: string[],
  more: Partial<HistoryOptions> = {},
): Promise<Run> {
  const clock = new ManualClock({ epochOffsetMs: startMs })
  const registry = new Registry(clock)
  const { log, lines } = captureLog()
  const history = new History({ sessionsPath, registry, clock, log, ...more })
  const become: Run['become'] = (accountId, status, reason = null) => {
    const account = registry.get(accountId) ?? newAccount(recordOf(accountId), running)
    registry.put({ ...account, connection: report(status, reason) })
  }
  for (const accountId of accountIds) become(accountId, 'connected')
  await history.start()
  const past = async (accountId: string, limit = 500): Promise<string[]> => {
    const { transitions } = await history.of(accountId, Infinity, limit)
    return transitions.map(({ atMs, status, reason }) => `${(atMs - startMs) / MINUTE_MS} ${reason ?? status}`)
  }
  return { history, clock, become, logLines: lines, registry, past }
}
/** Without the milliseconds that keep things of one moment in order. */
const wholeMinutes = (told: string): string => told.replace(/^\S+/, (minutes) => String(Math.floor(Number(minutes))))
const directory = (t: Test): { sessionsPath: string; files: string } => {
  const sessionsPath = t.testdir({})
  return { sessionsPath, files: join(sessionsPath, '.history') }
}

t.test('a day is drawn from memory, and told newest first', async (t) => {
  const { sessionsPath } = directory(t)
  const { history, clock, become, past } = await begin(sessionsPath, NOON, ['a', 'b'])
  clock.advance(10 * MINUTE_MS)
  become('a', 'disconnected', 'connection_lost')
  become('a', 'disconnected', 'connection_lost')
  clock.advance(2 * MINUTE_MS)
  become('a', 'connected')
  clock.advance(3 * HOUR_MS)
  t.strictSame(await past('a'), ['12 connected', '10 connection_lost', '0 connected'])
  const { transitions } = await history.of('a', Infinity, 2)
  t.match(transitions[1], { status: 'disconnected', reason: 'connection_lost', code: 428, detail: null })
  const { accounts, series, fromMs, toMs } = history.pictures(24)
  t.equal(toMs - fromMs, 24 * HOUR_MS)
  t.strictSame(
    accounts.map(({ accountId, segments }) => [accountId, ...segments.map(({ status }) => status)]),
    [
      ['a', 'connected', 'disconnected', 'connected'],
      ['b', 'connected'],
    ],
  )
  t.equal(series.at(-1)?.count, 2)
  t.equal(series[0]?.count, null)
  t.ok(
    series.some(({ count }) => count === 1),
    'the dip is seen',
  )
  await history.stop()
})

t.test('it outlives the service; what lies between two lives is "not running"', async (t) => {
  const { sessionsPath, files } = directory(t)
  const first = await begin(sessionsPath, NOON, ['a'])
  first.clock.advance(30 * MINUTE_MS)
  first.become('a', 'needs_qr', 'logged_out')
  first.clock.advance(30 * MINUTE_MS)
  await first.history.stop()
  first.become('a', 'disconnected', 'stopped')
  const second = await begin(sessionsPath, NOON + 2 * HOUR_MS, ['a'])
  second.clock.advance(30 * MINUTE_MS)
  // Killed: no word of an end. Its last sample is what is known.
  await second.history.stop()
  const names = readdirSync(files)
  t.strictSame(names, ['2026-03-10.jsonl'])
  const path = join(files, names[0] ?? '')
  writeFileSync(path, readFileSync(path, 'utf8').trimEnd().split('\n').slice(0, -1).join('\n'))
  const third = await begin(sessionsPath, NOON + 4 * HOUR_MS, ['a'])
  t.strictSame(await third.past('a'), [
    '0 connected',
    '-90 not_running',
    '-120 connected',
    '-180 not_running',
    '-210 logged_out',
    '-240 connected',
  ])
  const [strip] = third.history.pictures(6).accounts
  t.strictSame(
    strip?.segments.map(({ status }) => status),
    ['connected', 'needs_qr', 'not_running', 'connected', 'not_running'],
  )
  await third.history.stop()
})

t.test('what is older than a day comes from the disk, page by page, and each thing once', async (t) => {
  const { sessionsPath, files } = directory(t)
  const { history, clock, become } = await begin(sessionsPath, NOON, ['a', 'b'])
  for (let hour = 0; hour < 60; hour++) {
    become('a', 'disconnected', 'connection_lost')
    become('a', 'connected')
    clock.advance(HOUR_MS)
    // The disk gets its turn.
    await history.settled()
  }
  await history.stop()
  t.equal(readdirSync(files).length, 4)
  const found: number[] = []
  for (let before: number | null = Infinity; before !== null;) {
    const { transitions, nextMs }: Awaited<ReturnType<History['of']>> = await history.of('a', before, 7)
    found.push(...transitions.map(({ atMs }) => atMs))
    before = nextMs
  }
  t.equal(found.length, 121)
  t.strictSame(
    found,
    [...new Set(found)].sort((x, y) => y - x),
    'in order, none twice',
  )
  t.equal((await history.of('b', Infinity, 500)).transitions.length, 1)
})

t.test(
  'an outage of many transitions is told from its begin, and drawn from it, after a restart as well',
  async (t) => {
    const { sessionsPath } = directory(t)
    const first = await begin(sessionsPath, NOON, ['a', 'b'])
    first.clock.advance(10 * MINUTE_MS)
    // 18 hours of retries at the longest backoff that fail now in one way, now in the other.
    const retries = 18 * 120
    for (let i = 0; i < retries; i++) {
      first.become('a', 'disconnected', i % 2 === 0 ? 'connection_lost' : 'stale')
      first.clock.advance(20_000)
      first.become('a', 'connecting')
      first.clock.advance(10_000)
      if (i % 100 === 99) await first.history.settled()
    }
    await first.history.settled()
    const check = async ({ history }: Run, more: number): Promise<void> => {
      const found: number[] = []
      for (let before: number | null = Infinity; before !== null;) {
        const page: Awaited<ReturnType<History['of']>> = await history.of('a', before, 500)
        found.push(...page.transitions.map(({ atMs }) => atMs))
        before = page.nextMs
      }
      t.equal(found.length, 1 + 2 * retries + more)
      t.equal(new Set(found).size, found.length, 'none twice')
      t.equal(found.at(-1), NOON)
      const strip = history.pictures(24).accounts.find(({ accountId }) => accountId === 'a')?.segments ?? []
      const down = strip.find(({ status }) => status === 'disconnected')
      t.ok(Math.abs((down?.fromMs ?? 0) - NOON - 10 * MINUTE_MS) <= 5 * MINUTE_MS, 'the strip shows its begin')
      t.equal(strip[0]?.status, 'connected')
    }
    await check(first, 0)
    await first.history.stop()
    const second = await begin(sessionsPath, first.clock.nowMs() + MINUTE_MS, ['a', 'b'])
    // The restart itself: not running, and connected.
    await check(second, 2)
    await second.history.stop()
  },
)

t.test('an outage is one, however often it is tried to end it', async (t) => {
  const { sessionsPath, files } = directory(t)
  const { history, clock, become, past } = await begin(sessionsPath, NOON, ['a'])
  const tryOnce = (reason: 'connection_lost' | 'stale'): void => {
    clock.advance(MINUTE_MS)
    become('a', 'connecting', reason)
  }
  become('a', 'connecting', 'connection_lost')
  for (let i = 0; i < 3; i++) {
    become('a', 'disconnected', 'connection_lost')
    tryOnce('connection_lost')
  }
  t.strictSame(
    (await past('a', 2)).map(wholeMinutes),
    ['0 connection_lost', '0 connection_lost'],
    'down since its begin',
  )
  // It fails in another way, and then not at all: the try in which it changed is told with its own time.
  clock.advance(MINUTE_MS)
  become('a', 'disconnected', 'stale')
  tryOnce('stale')
  become('a', 'disconnected', 'stale')
  tryOnce('stale')
  clock.advance(MINUTE_MS)
  become('a', 'connected')
  const expected = ['7 connected', '6 stale', '4 stale', '3 connection_lost', '0 connection_lost', '0 connection_lost']
  t.strictSame((await past('a')).map(wholeMinutes), [...expected, '0 connected'])
  await history.stop()
  const lines = readFileSync(join(files, '2026-03-10.jsonl'), 'utf8').split('\n')
  t.equal(lines.filter((line) => line.includes('"k":"s"') && !line.includes('"v":1')).length, 7)
})

t.test('damaged lines are left out and counted; a torn end does not take the next line with it', async (t) => {
  const { sessionsPath, files } = directory(t)
  const first = await begin(sessionsPath, NOON, ['a'])
  await first.history.stop()
  const path = join(files, '2026-03-10.jsonl')
  appendFileSync(path, '{"k":"s","at":1,"a":"a","s":"online","r":null}\n\u0000\u0000\u0000\n[]\n{"k":"s","at":17')
  const second = await begin(sessionsPath, NOON + HOUR_MS, ['a'])
  t.equal(second.history.damaged, 4)
  t.ok(second.logLines().some(({ event }) => event === 'history.damaged'))
  await second.history.stop()
  const third = await begin(sessionsPath, NOON + 2 * HOUR_MS, ['a'])
  t.strictSame(await third.past('a'), [
    '0 connected',
    '-60 not_running',
    '-60 connected',
    '-120 not_running',
    '-120 connected',
  ])
  await third.history.stop()
})

t.test('a disk that takes nothing keeps nobody; what it missed is written when it is back', async (t) => {
  const { sessionsPath, files } = directory(t)
  // A file in its place: no user, root included, can make the directory.
  writeFileSync(files, '')
  const { history, clock, become, past, logLines } = await begin(sessionsPath, NOON, ['a'])
  const flush = async (): Promise<void> => {
    clock.advance(1000)
    await history.settled()
  }
  await flush()
  become('a', 'disconnected', 'storage_full')
  await flush()
  t.strictSame(
    logLines()
      .map(({ event }) => event)
      .filter((event) => event?.startsWith('history.not_written')),
    ['history.not_written'],
    'said once',
  )
  t.strictSame(await past('a', 1), [`${1 / 60} storage_full`], 'memory goes on')
  rmSync(files)
  await flush()
  t.ok(logLines().some(({ event }) => event === 'history.recovered'))
  await history.stop()
  t.match(readFileSync(join(files, '2026-03-10.jsonl'), 'utf8'), 'storage_full')
  t.equal(history.dropped, 0)
})

t.test('what waits for the disk is bounded, and so is a day', async (t) => {
  const { sessionsPath, files } = directory(t)
  writeFileSync(files, '')
  const limits = { mostQueued: 50, dayBytes: 2000 }
  const { history, clock, become } = await begin(sessionsPath, NOON, ['a'], { writer: limits })
  const flap = (times: number): void => {
    for (let i = 0; i < times; i++)
      become('a', i % 2 === 0 ? 'disconnected' : 'connected', i % 2 === 0 ? 'stale' : null)
  }
  flap(200)
  t.ok(history.dropped >= 150, String(history.dropped))
  rmSync(files)
  mkdirSync(files)
  clock.advance(1000)
  await history.settled()
  const before = history.dropped
  flap(20)
  t.equal(history.dropped, before + 20, 'a day that is full takes no more transitions')
  clock.advance(MINUTE_MS)
  await history.stop()
  t.match(readFileSync(join(files, '2026-03-10.jsonl'), 'utf8'), '"k":"m"', 'but what the charts need')
})

t.test('files that are too old or too many go, foreign ones stay', async (t) => {
  const { sessionsPath, files } = directory(t)
  mkdirSync(files)
  for (const name of ['2026-02-01.jsonl', '2026-02-20.jsonl', '2026-03-08.jsonl', '2026-03-09.jsonl', 'notes.txt']) {
    writeFileSync(join(files, name), 'x'.repeat(1000))
  }
  const { history } = await begin(sessionsPath, NOON, ['a'], { keep: { days: 30, bytes: 2500 } })
  await history.settled()
  await history.stop()
  t.strictSame(readdirSync(files), ['2026-03-08.jsonl', '2026-03-09.jsonl', '2026-03-10.jsonl', 'notes.txt'])
})

t.test('a clock that jumps ahead makes nothing old', async (t) => {
  const { sessionsPath, files } = directory(t)
  mkdirSync(files)
  const names = Array.from(
    { length: 33 },
    (_, day) => `${new Date(NOON - (day + 1) * 24 * HOUR_MS).toISOString().slice(0, 10)}.jsonl`,
  )
  for (const name of names) writeFileSync(join(files, name), '')
  const { history, clock } = await begin(sessionsPath, NOON, ['a'])
  await history.settled()
  const kept = names.slice(0, 30)
  t.strictSame(readdirSync(files).sort(), [...kept, '2026-03-10.jsonl'].sort())
  clock.setAhead(400 * 24 * HOUR_MS)
  clock.advance(MINUTE_MS)
  await history.settled()
  await history.stop()
  t.ok(kept.slice(0, 29).every((name) => readdirSync(files).includes(name)))
})

t.test('a clock that was far ahead and is set right leaves no hole until its time comes', async (t) => {
  const { sessionsPath } = directory(t)
  const { history, clock, become, past } = await begin(sessionsPath, NOON, ['a', 'b'])
  clock.setAhead(40 * 24 * HOUR_MS)
  clock.advance(MINUTE_MS)
  become('a', 'disconnected', 'stale')
  clock.advance(MINUTE_MS)
  clock.setAhead(-40 * 24 * HOUR_MS)
  clock.advance(MINUTE_MS)
  become('a', 'connected')
  clock.advance(10 * MINUTE_MS)
  await history.settled()
  const { accounts, series } = history.pictures(1)
  t.strictSame(
    accounts.map(({ segments }) => segments.map(({ status }) => status)),
    [['disconnected', 'connected'], ['connected']],
  )
  t.ok(series.filter(({ count }) => count !== null).length >= 10)
  t.strictSame((await past('a', 2)).map(wholeMinutes), ['3 connected', '3 stale'])
  await history.stop()
})

t.test('a history that can not be read keeps the service from nothing', async (t) => {
  const { sessionsPath, files } = directory(t)
  // What has a day's name and is no file.
  mkdirSync(join(files, '2026-03-09.jsonl'), { recursive: true })
  const { history, logLines, become } = await begin(sessionsPath, NOON, ['a'])
  t.ok(logLines().some(({ event }) => event === 'history.not_read'))
  become('a', 'disconnected', 'stale')
  t.equal(history.pictures(24).accounts.length, 1)
  await t.rejects(history.of('a', Infinity, 10), { code: 'EISDIR' })
  await history.stop()
})
