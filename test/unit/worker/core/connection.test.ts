import t from 'tap'
import type { Reason } from '../../../../shared/states.ts'
import type { CloseCause } from '../../../../worker/core/disconnect-policy.ts'
import { stepConnection } from '../../../../worker/core/connection.ts'
import {
  HEALTHY_AFTER_MS,
  NEW_CONNECTION,
  OPEN_DEADLINE_MS,
  QR_GRACE_MS,
  type Connection,
  type ConnectionEffect,
  type ConnectionEvent,
  type ConnectionLimits,
  type ConnectionState,
} from '../../../../worker/core/connection-state.ts'
import { PROBE_DEADLINE_MS } from '../../../../worker/core/liveness.ts'

const LIMITS: ConnectionLimits = {
  maxReconnectAttempts: 5,
  refusalPeriodMs: 0,
  healthCheckIntervalMs: 60_000,
  staleConnectionThresholdMs: 300_000,
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
const patient = at({
  name: 'waiting',
  untilMs: 9000,
  status: 'disconnected',
  reason: 'replaced',
  code: 440,
  onRetry: false,
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
const banned: ConnectionState = { name: 'idle', status: 'disconnected', reason: 'banned', code: 406 }
const unused: ConnectionEffect = { type: 'permit_result', result: 'unused' }
const ask: ConnectionEffect = { type: 'request_permit' }
const hide: ConnectionEffect = { type: 'show_qr', text: null, lifetimeMs: 0 }
const tearDown: ConnectionEffect = { type: 'tear_down', socket: 3 }
const failed: ConnectionEffect = { type: 'permit_result', result: 'failed' }
const answered: ConnectionEffect = { type: 'permit_result', result: 'answered' }
const opened: ConnectionEffect = { type: 'permit_result', result: 'opened' }

const down = (untilMs: number, reason: Reason, code: number | null): ConnectionState => ({
  name: 'waiting',
  untilMs,
  status: 'disconnected',
  reason,
  code,
  onRetry: true,
})

const TABLE: [string, Connection, ConnectionEvent, nowMs: number, Partial<Connection>, ConnectionEffect[]][] = [
  [
    'a linked account asks for its turn',
    NEW_CONNECTION,
    { type: 'begin', linked: true, pairing: false },
    1000,
    { state: { name: 'queued', untilMs: 301_000, reason: 'starting', code: null } },
    [ask],
  ],
  [
    'an account that was never linked stays quiet',
    NEW_CONNECTION,
    { type: 'begin', linked: false, pairing: false },
    1000,
    { state: { name: 'idle', status: 'needs_qr', reason: 'not_linked', code: null } },
    [],
  ],
  [
    'unless somebody wants its QR code',
    NEW_CONNECTION,
    { type: 'begin', linked: false, pairing: true },
    1000,
    { pairing: true, state: { name: 'queued', untilMs: 301_000, reason: 'starting', code: null } },
    [ask],
  ],
  ['idle, retry', idle, { type: 'retry' }, 5000, {}, []],
  [
    'opening, others have overtaken it',
    opening,
    { type: 'abandon' },
    7000,
    { attempt: 1, state: { name: 'queued', untilMs: 307_000, reason: 'connect_timeout', code: null } },
    [{ type: 'tear_down', socket: 3 }, { type: 'permit_result', result: 'failed' }, { type: 'request_permit' }],
  ],
  ['open, a word of the gate that came too late', open, { type: 'abandon' }, 7000, {}, []],
  ['pairing, abandon', pairing, { type: 'abandon' }, 7000, {}, []],
  ['waiting, abandon', waiting, { type: 'abandon' }, 7000, {}, []],
  ['idle, permit', idle, { type: 'permit', shared: false }, 5000, {}, [unused]],
  [
    'idle, pair',
    { ...idle, attempt: 3, refusals: 2, restarts: 1 },
    { type: 'pair', linked: false },
    5000,
    {
      attempt: 0,
      refusals: 0,
      restarts: 0,
      pairing: true,
      state: { name: 'queued', untilMs: 305_000, reason: 'starting', code: null },
    },
    [ask],
  ],
  [
    'idle, pair, while the old session is on its way aside',
    idle,
    { type: 'pair', linked: true },
    5000,
    { pairing: true, state: { name: 'queued', untilMs: 305_000, reason: 'starting', code: null } },
    [ask],
  ],
  ['banned, pair', { ...idle, state: banned }, { type: 'pair', linked: true }, 5000, {}, []],
  [
    "another phone's session, pair",
    { ...idle, state: { ...banned, reason: 'wrong_phone' } },
    { type: 'pair', linked: true },
    5000,
    { pairing: true, state: { name: 'queued', untilMs: 305_000, reason: 'starting', code: null } },
    [{ type: 'set_aside', reason: 'wrong_phone' }, ask],
  ],
  ['open, pair', open, { type: 'pair', linked: true }, 5000, {}, []],
  ['pairing, pair', pairing, { type: 'pair', linked: false }, 5000, {}, []],
  ['waiting, too early', waiting, timer(0), 8999, {}, []],
  [
    'waiting, timer',
    waiting,
    timer(0),
    9000,
    { state: { name: 'queued', untilMs: 309_000, reason: 'connection_lost', code: 408 } },
    [ask],
  ],
  [
    'waiting, the gate reopened',
    waiting,
    { type: 'retry' },
    5000,
    { state: { name: 'queued', untilMs: 305_000, reason: 'connection_lost', code: 408 } },
    [ask],
  ],
  ['waiting for another program to let go, the gate reopened', patient, { type: 'retry' }, 5000, {}, []],
  ['waiting, a permit nobody asked for', waiting, { type: 'permit', shared: false }, 5000, {}, [unused]],
  [
    'queued, permit',
    queued,
    { type: 'permit', shared: false },
    5000,
    { socket: 4, state: { name: 'opening', untilMs: 5000 + OPEN_DEADLINE_MS, reason: 'opening', shared: false } },
    [{ type: 'open_socket', socket: 4 }],
  ],
  [
    'queued, no turn for five minutes',
    queued,
    timer(0),
    300_000,
    { state: { name: 'queued', untilMs: 600_000, reason: 'starting', code: null } },
    [ask],
  ],
  ['opening, a second permit', opening, { type: 'permit', shared: false }, 5000, {}, [unused]],
  [
    'opening, open',
    opening,
    { type: 'open', socket: 3, wrongPhone: false },
    5000,
    { state: { name: 'open', sinceMs: 5000, nextCheckMs: 65_000, probeSentMs: null } },
    [opened, hide],
  ],
  [
    'opening, QR code',
    opening,
    { type: 'qr', socket: 3, text: 'secret', lifetimeMs: 60_000 },
    5000,
    { state: { name: 'pairing', untilMs: 65_000 + QR_GRACE_MS } },
    [opened, { type: 'show_qr', text: 'secret', lifetimeMs: 60_000 }],
  ],
  [
    'opening, not open in time',
    opening,
    timer(0),
    61_000,
    {
      attempt: 1,
      state: down(62_000, 'connect_timeout', null),
    },
    [hide, tearDown, failed],
  ],
  [
    'opening, refused by the network',
    { ...opening, attempt: 2 },
    closed(lost),
    5000,
    {
      attempt: 3,
      state: down(9000, 'connection_lost', 408),
    },
    [hide, tearDown, failed],
  ],
  [
    'opening, logged out',
    { ...opening, attempt: 2, refusals: 1 },
    closed({ from: 'login', code: 401 }),
    5000,
    { attempt: 0, refusals: 0, state: { name: 'idle', status: 'needs_qr', reason: 'logged_out', code: 401 } },
    [hide, tearDown, answered, { type: 'set_aside', reason: 'logged_out' }],
  ],
  [
    'opening, banned: the session is kept',
    opening,
    closed({ from: 'login', code: 406 }),
    5000,
    { state: { name: 'idle', status: 'disconnected', reason: 'banned', code: 406 } },
    [hide, tearDown, answered],
  ],
  [
    'opening, the client is too old',
    opening,
    closed({ from: 'login', code: 405 }),
    5000,
    {
      attempt: 1,
      state: down(605_000, 'client_outdated', 405),
    },
    [hide, tearDown, failed],
  ],
  [
    'pairing, the next QR code',
    pairing,
    { type: 'qr', socket: 3, text: 'next', lifetimeMs: 20_000 },
    60_000,
    { state: { name: 'pairing', untilMs: 80_000 + QR_GRACE_MS } },
    [{ type: 'show_qr', text: 'next', lifetimeMs: 20_000 }],
  ],
  [
    'pairing, scanned',
    pairing,
    { type: 'new_login', socket: 3 },
    10_000,
    {
      pairing: false,
      justPaired: true,
      state: { name: 'opening', untilMs: 10_000 + OPEN_DEADLINE_MS, reason: 'restart_required', shared: false },
    },
    [hide],
  ],
  [
    'pairing, nobody scanned',
    pairing,
    closed({ from: 'qr_expired', code: 408 }, { linked: false }),
    160_000,
    { pairing: false, state: { name: 'idle', status: 'needs_qr', reason: 'qr_expired', code: 408 } },
    [hide, tearDown],
  ],
  [
    'pairing, the connection drops: a new QR code soon',
    pairing,
    closed({ from: 'transport', code: 428 }, { linked: false }),
    10_000,
    {
      attempt: 1,
      state: down(11_000, 'connection_closed', 428),
    },
    [hide, tearDown],
  ],
  [
    'a pairing that never finished is refused: its creds are worthless',
    opening,
    closed({ from: 'login', code: 401 }, { linked: false }),
    5000,
    {
      attempt: 1,
      refusals: 1,
      state: { name: 'waiting', untilMs: 6000, status: 'needs_qr', reason: 'not_linked', code: 401, onRetry: true },
    },
    [hide, tearDown, answered, { type: 'set_aside', reason: 'not_linked' }],
  ],
  [
    'open, restart required',
    open,
    closed({ from: 'stream', code: 515 }),
    5000,
    { restarts: 1, state: { name: 'queued', untilMs: 305_000, reason: 'restart_required', code: 515 } },
    [hide, tearDown, ask],
  ],
  [
    'open, restart required once too often',
    { ...open, restarts: 3 },
    closed({ from: 'stream', code: 515 }),
    5000,
    {
      restarts: 4,
      attempt: 1,
      state: down(6000, 'restart_required', 515),
    },
    [hide, tearDown],
  ],
  [
    'open for less than a minute, dropped: the backoff goes on',
    { ...open, attempt: 3 },
    closed(lost),
    1000 + HEALTHY_AFTER_MS - 1,
    {
      attempt: 4,
      state: down(68_999, 'connection_lost', 408),
    },
    [hide, tearDown],
  ],
  [
    'open for a minute, dropped: a first failure',
    { ...open, attempt: 3, refusals: 4 },
    closed(lost),
    1000 + HEALTHY_AFTER_MS,
    {
      attempt: 1,
      refusals: 0,
      state: down(62_000, 'connection_lost', 408),
    },
    [hide, tearDown],
  ],
  [
    'open for a minute: what failed before is forgotten',
    { ...open, attempt: 3, refusals: 2, restarts: 1 },
    timer(60_000),
    61_000,
    {
      attempt: 0,
      refusals: 0,
      restarts: 0,
      state: { name: 'open', sinceMs: 1000, nextCheckMs: 121_000, probeSentMs: null },
    },
    [],
  ],
  [
    'open and silent: a question',
    open,
    timer(1000),
    301_000,
    { state: { name: 'open', sinceMs: 1000, nextCheckMs: 361_000, probeSentMs: 301_000 } },
    [{ type: 'probe', socket: 3 }],
  ],
  [
    'open, the question was answered',
    at({ name: 'open', sinceMs: 1000, nextCheckMs: 361_000, probeSentMs: 301_000 }),
    timer(301_200),
    321_000,
    { state: { name: 'open', sinceMs: 1000, nextCheckMs: 381_000, probeSentMs: null } },
    [],
  ],
  [
    'open, no answer: a new socket at once',
    at({ name: 'open', sinceMs: 1000, nextCheckMs: 361_000, probeSentMs: 301_000 }),
    timer(1000),
    301_000 + PROBE_DEADLINE_MS,
    { staleInRow: 1, state: { name: 'queued', untilMs: 621_000, reason: 'stale', code: null } },
    [hide, tearDown, ask],
  ],
  [
    'open, a second socket in a row went silent: a new process',
    at({ name: 'open', sinceMs: 1000, nextCheckMs: 361_000, probeSentMs: 301_000 }, { staleInRow: 1 }),
    timer(1000),
    301_000 + PROBE_DEADLINE_MS,
    { state: { name: 'stopped' } },
    [hide, tearDown, { type: 'renew_process' }],
  ],
  ['open, an old socket closes', open, closed({ from: 'login', code: 401 }, { socket: 2 }), 5000, {}, []],
]

for (const [title, from, event, nowMs, to, effects] of TABLE) {
  t.test(title, async (t) => {
    const [next, done] = stepConnection(from, event, nowMs, LIMITS)
    t.strictSame(next, { ...from, ...to })
    t.strictSame(done, effects)
  })
}
