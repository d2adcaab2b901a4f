import { reportOf } from '../../../../worker/core/connection-report.ts'
import t from 'tap'
import type { CloseCause } from '../../../../worker/core/disconnect-policy.ts'
import { stepConnection } from '../../../../worker/core/connection.ts'
import {
  deadlineOf,
  HEALTHY_AFTER_MS,
  NEW_CONNECTION,
  REPLACED_MEMORY_MS,
  type Connection,
  type ConnectionEffect,
  type ConnectionEvent,
  type ConnectionLimits,
  type ConnectionState,
} from '../../../../worker/core/connection-state.ts'

const LIMITS: ConnectionLimits = {
  maxReconnectAttempts: 5,
  refusalPeriodMs: 0,
  healthCheckIntervalMs: 60_000,
  staleConnectionThresholdMs: 300_000,
  renewAfterSockets: 200,
}

const at = (state: ConnectionState, more: Partial<Connection> = {}): Connection => ({
  ...NEW_CONNECTION,
  socket: 3,
  state,
  ...more,
})
const waiting = at({
  name: 'waiting',
  untilMs: 9000,
  status: 'disconnected',
  reason: 'connection_lost',
  code: 408,
  onRetry: true,
})
const idle = at({ name: 'idle', status: 'needs_qr', reason: 'qr_expired', code: 408 })
const queued = at({ name: 'queued', untilMs: 300_000, reason: 'starting', code: null })
const opening = at({ name: 'opening', untilMs: 61_000, reason: 'opening', shared: false })
const pairing = at({ name: 'pairing', untilMs: 76_000 }, { pairing: true })
const open = at({ name: 'open', sinceMs: 1000, nextCheckMs: 61_000, probeSentMs: null })

const closed = (cause: CloseCause, more: { linked?: boolean; socket?: number } = {}): ConnectionEvent => ({
  type: 'closed',
  socket: 3,
  cause,
  linked: true,
  random: 0.5,
  ...more,
})
const timer = (lastFrameMs: number, linked = true): ConnectionEvent => ({
  type: 'timer',
  lastFrameMs,
  linked,
  random: 0.5,
})
const lost: CloseCause = { from: 'transport', code: 408 }
const ask: ConnectionEffect = { type: 'request_permit', firstLogin: false }
const hide: ConnectionEffect = { type: 'show_qr', text: null, lifetimeMs: 0 }
const tearDown: ConnectionEffect = { type: 'tear_down', socket: 3 }
const failed: ConnectionEffect = { type: 'permit_result', result: 'failed' }

t.test('pair that comes before the session is open is remembered, and opens nothing yet', async (t) => {
  const [early, none] = stepConnection(NEW_CONNECTION, { type: 'pair', linked: false }, 0, LIMITS)
  t.strictSame(none, [], 'no socket may be asked for before the session is open')
  const [unlinked, asks] = stepConnection(early, { type: 'begin', linked: false, pairing: false }, 10, LIMITS)
  t.match(unlinked, { pairing: true, state: { name: 'queued' } })
  t.strictSame(asks, [ask])
  const [linked] = stepConnection(early, { type: 'begin', linked: true, pairing: false }, 10, LIMITS)
  t.match(linked, { state: { name: 'queued' } })
})

t.test('begin a second time changes nothing', async (t) => {
  for (const c of [idle, waiting, queued, opening, pairing, open]) {
    t.strictSame(stepConnection(c, { type: 'begin', linked: true, pairing: true }, 0, LIMITS), [c, []], c.state.name)
  }
})

t.test('refusals of WhatsApp: the fifth sets the session aside, outages in between count for nothing', async (t) => {
  let c = opening
  for (const [i, code] of [400, 411, 463, 400].entries()) {
    const [refused, effects] = stepConnection(c, closed({ from: 'login', code }), 0, LIMITS)
    t.notMatch(effects, [{ type: 'ask_set_aside' }])
    t.match(refused, { refusals: i + 1, state: { name: 'waiting', reason: 'refused', onRetry: false } })
    const [dropped, after] = stepConnection({ ...refused, state: opening.state }, closed(lost), 0, LIMITS)
    t.notOk(after.some(({ type }) => type === 'ask_set_aside'))
    t.equal(dropped.refusals, i + 1)
    c = { ...dropped, state: opening.state }
  }
  const [last, effects] = stepConnection(c, closed({ from: 'login', code: 400 }), 0, LIMITS)
  t.match(last, { attempt: 0, refusals: 0, state: { name: 'idle', status: 'needs_qr', reason: 'bad_session' } })
  t.strictSame(effects, [hide, tearDown, failed, { type: 'ask_set_aside', reason: 'bad_session' }])
})

t.test('refusals while other accounts fail too count for nothing, however many', async (t) => {
  let c = { ...opening, refusals: LIMITS.maxReconnectAttempts - 1 }
  for (let i = 0; i < 20; i++) {
    const shared = { ...c, state: { ...opening.state, shared: true } } as Connection
    const [refused, effects] = stepConnection(shared, closed({ from: 'login', code: 400 }), 0, LIMITS)
    t.notOk(effects.some(({ type }) => type === 'ask_set_aside'))
    t.match(refused, {
      refusals: LIMITS.maxReconnectAttempts - 1,
      state: { name: 'waiting', reason: 'refused', onRetry: true },
    })
    c = refused
  }
})

t.test('refusals of a quarter of a minute are no verdict on a session', async (t) => {
  const limits = { ...LIMITS, refusalPeriodMs: 600_000 }
  let c: Connection = opening
  for (let nowMs = 0; nowMs < 600_000; nowMs += 30_000) {
    const [refused, effects] = stepConnection(
      { ...c, state: opening.state },
      closed({ from: 'login', code: 463 }),
      nowMs,
      limits,
    )
    t.notOk(
      effects.some(({ type }) => type === 'ask_set_aside'),
      `after ${nowMs} ms`,
    )
    c = refused
  }
  const [last] = stepConnection({ ...c, state: opening.state }, closed({ from: 'login', code: 463 }), 600_000, limits)
  t.match(last.state, { name: 'idle', reason: 'bad_session' })
})

t.test('registrations that are all refused end, and wait for the operator', async (t) => {
  let c: Connection = { ...opening, pairing: true }
  const refusal = closed({ from: 'login', code: 401 }, { linked: false })
  for (let i = 1; i < LIMITS.maxReconnectAttempts; i++) {
    c = { ...stepConnection(c, refusal, 0, LIMITS)[0], state: opening.state }
  }
  const [last] = stepConnection(c, refusal, 0, LIMITS)
  t.match(last, { pairing: false, state: { name: 'idle', status: 'needs_qr', reason: 'not_linked' } })
})

t.test('a process that has opened many sockets goes on in a fresh one, between two of them', async (t) => {
  const many = {
    ...opening,
    socket: LIMITS.renewAfterSockets,
    state: { name: 'queued', untilMs: 9, reason: 'starting', code: null },
  } as const
  const [left, effects] = stepConnection(many, { type: 'permit', shared: false }, 0, LIMITS)
  t.equal(left.state.name, 'stopped')
  t.strictSame(effects, [{ type: 'permit_result', result: 'unused' }, { type: 'renew_process' }])
  const [pairing] = stepConnection({ ...many, pairing: true }, { type: 'permit', shared: false }, 0, LIMITS)
  t.equal(pairing.state.name, 'opening', 'but not while somebody waits for a QR code')
})

t.test('an operator who asks for a QR code does not wait out a backoff', async (t) => {
  const [waiting] = stepConnection(opening, closed(lost, { linked: false }), 0, LIMITS)
  t.equal(waiting.state.name, 'waiting')
  const [asked, effects] = stepConnection(waiting, { type: 'pair', linked: false }, 0, LIMITS)
  t.equal(asked.state.name, 'queued')
  t.strictSame(effects, [{ type: 'request_permit', firstLogin: false }])
})

t.test('a refused client version is tried slowly, linked or not', async (t) => {
  for (const linked of [true, false]) {
    const [later] = stepConnection(opening, closed({ from: 'login', code: 405 }, { linked }), 0, LIMITS)
    t.match(later.state, { name: 'waiting', untilMs: 600_000, reason: 'client_outdated' })
  }
})

t.test("a phone that is not the account's: a fresh link is taken back, an old session is left alone", async (t) => {
  const event: ConnectionEvent = { type: 'open', socket: 3, wrongPhone: true }
  const [fresh, taken] = stepConnection({ ...opening, justPaired: true }, event, 0, LIMITS)
  t.match(fresh.state, { name: 'idle', status: 'needs_qr', reason: 'wrong_phone' })
  t.strictSame(taken.slice(-3), [
    { type: 'log_out', socket: 3 },
    tearDown,
    { type: 'set_aside', reason: 'wrong_phone' },
  ])
  const [old, left] = stepConnection(opening, event, 0, LIMITS)
  t.match(old.state, { name: 'idle', status: 'disconnected', reason: 'wrong_phone' })
  t.strictSame(
    left.map(({ type }) => type),
    ['permit_result', 'show_qr', 'tear_down'],
  )
})

t.test('only the login after a scan is told to the gate as a first one', async (t) => {
  const asks = (effects: readonly ConnectionEffect[]): unknown[] =>
    effects.flatMap((effect) => (effect.type === 'request_permit' ? [effect.firstLogin] : []))
  const restart: CloseCause = { from: 'stream', code: 515 }
  const [scanned] = stepConnection(pairing, { type: 'new_login', socket: 3 }, 0, LIMITS)
  const [waits, first] = stepConnection(scanned, closed(restart, { linked: true, socket: 3 }), 0, LIMITS)
  t.strictSame(asks(first), [true])
  const [begun] = stepConnection(waits, { type: 'permit', shared: false }, 0, LIMITS)
  const [open] = stepConnection(begun, { type: 'open', socket: 4, wrongPhone: false }, 0, LIMITS)
  const [, next] = stepConnection(open, closed(restart, { linked: true, socket: 4 }), 60_000, LIMITS)
  t.strictSame(asks(next), [false])
})

t.test(
  'a number that turns out to be taken costs a fresh link its session, and none that has connected before',
  async (t) => {
    const opens: ConnectionEvent = { type: 'open', socket: 3, wrongPhone: false }
    const [paired] = stepConnection(pairing, { type: 'new_login', socket: 3 }, 0, LIMITS)
    const [fresh] = stepConnection(paired, opens, 0, LIMITS)
    t.equal(stepConnection(fresh, { type: 'number_taken' }, 0, LIMITS)[1].at(-1)?.type, 'set_aside')

    const [dropped] = stepConnection(fresh, closed(lost), 86_400_000, LIMITS)
    const [asking] = stepConnection(dropped, { type: 'retry' }, 86_400_000, LIMITS)
    const [again] = stepConnection(asking, { type: 'permit', shared: false }, 86_400_000, LIMITS)
    const [old] = stepConnection(again, { ...opens, socket: 4 }, 86_400_000, LIMITS)
    t.equal(old.state.name, 'open')
    const [down, effects] = stepConnection(old, { type: 'number_taken' }, 86_400_000, LIMITS)
    t.match(down.state, { name: 'idle', status: 'disconnected', reason: 'number_taken' })
    t.strictSame(
      effects.map(({ type }) => type),
      ['show_qr', 'tear_down'],
    )
  },
)

t.test('logging out unlinks and sets aside, and means nothing where there is no connection', async (t) => {
  const [out, effects] = stepConnection(open, { type: 'log_out' }, 0, LIMITS)
  t.match(out.state, { name: 'idle', status: 'needs_qr', reason: 'logged_out' })
  t.strictSame(effects, [{ type: 'log_out', socket: 3 }, tearDown, { type: 'set_aside', reason: 'logged_out' }])
  t.strictSame(stepConnection(opening, { type: 'log_out' }, 0, LIMITS), [opening, []])
})

t.test('replaced: one slow try, then nothing; again only when the last time is long ago', async (t) => {
  const replaced = closed({ from: 'stream', code: 440 })
  const [first, effects] = stepConnection(open, replaced, 5000, LIMITS)
  t.match(first, { replacedMs: 5000, state: { name: 'waiting', untilMs: 65_000, reason: 'replaced', onRetry: false } })
  t.strictSame(effects, [hide, tearDown])
  const reopened = { ...first, state: open.state }
  const [second] = stepConnection(reopened, replaced, 5000 + REPLACED_MEMORY_MS - 1, LIMITS)
  t.match(second.state, { name: 'idle', status: 'disconnected', reason: 'replaced', code: 440 })
  t.equal(deadlineOf(second), undefined, 'nothing follows by itself')
  const [later] = stepConnection(reopened, replaced, 5000 + REPLACED_MEMORY_MS, LIMITS)
  t.match(later.state, { name: 'waiting', reason: 'replaced' })
})

t.test('two sockets that go silent in a row bring a new process, with the times of production', async (t) => {
  let c = queued
  let nowMs = 0
  const effects: string[] = []
  const step = (event: ConnectionEvent): void => {
    const [next, done] = stepConnection(c, event, nowMs, LIMITS)
    c = next
    effects.push(...done.map(({ type }) => type))
  }
  const goSilent = (): void => {
    step({ type: 'permit', shared: false })
    step({ type: 'open', socket: c.socket, wrongPhone: false })
    const lastFrameMs = nowMs
    for (let dueMs = deadlineOf(c); c.state.name === 'open' && dueMs !== undefined; dueMs = deadlineOf(c)) {
      nowMs = Math.max(dueMs, nowMs)
      step(timer(lastFrameMs))
    }
  }
  goSilent()
  t.match(c.state, { name: 'queued', reason: 'stale' })
  t.notOk(effects.includes('renew_process'))
  goSilent()
  t.match(c.state, { name: 'stopped' })
  t.equal(effects.at(-1), 'renew_process')
})

t.test('a socket that lived in between makes the next silence a first one', async (t) => {
  const alive = { ...open, staleInRow: 1 }
  const [checked] = stepConnection(alive, timer(1000 + HEALTHY_AFTER_MS), 2000 + HEALTHY_AFTER_MS, LIMITS)
  t.equal(checked.staleInRow, 0)
  const [dropped] = stepConnection(alive, closed(lost), 1000 + HEALTHY_AFTER_MS, LIMITS)
  t.equal(dropped.staleInRow, 0)
})

t.test('reports', async (t) => {
  const report = (c: Connection) => reportOf(c, 5000, 1_700_000_005_000)
  const base = { code: null, attempt: 0, nextTryAtMs: null }
  t.strictSame(report(idle), { ...base, status: 'needs_qr', reason: 'qr_expired', code: 408 })
  t.strictSame(report({ ...waiting, attempt: 2 }), {
    status: 'disconnected',
    reason: 'connection_lost',
    code: 408,
    attempt: 2,
    nextTryAtMs: 1_700_000_009_000,
  })
  t.strictSame(report(queued), { ...base, status: 'connecting', reason: 'starting' })
  t.match(report({ ...queued, attempt: 1 }), { status: 'disconnected' }, 'a turn at the gate is no progress')
  t.strictSame(report(opening), { ...base, status: 'connecting', reason: 'opening' })
  t.strictSame(report(pairing), { ...base, status: 'needs_qr', reason: 'pairing' })
  t.strictSame(report(open), { ...base, status: 'connected', reason: null })
  t.strictSame(report(at({ name: 'stopped' })), { ...base, status: 'disconnected', reason: 'stopped' })
})
