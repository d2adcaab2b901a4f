import t from 'tap'
import { stepConnection } from '../../../../worker/core/connection.ts'
import type {
  Connection,
  ConnectionEffect,
  ConnectionEvent,
  ConnectionState,
} from '../../../../worker/core/connection-state.ts'
import {
  LIMITS,
  at,
  banned,
  waiting,
  idle,
  queued,
  opening,
  pairing,
  open,
  held,
  heldLonger,
  taken,
  outdated,
  unused,
  ask,
  hide,
  tearDown,
  opened,
} from './fixtures/connections.ts'

const queuedAgain: ConnectionState = { name: 'queued', untilMs: 300_000, reason: 'logged_out', code: 401 }
const openingAgain: ConnectionState = { name: 'opening', untilMs: 61_000, reason: 'logged_out', shared: false }

/** What the supervisor, and what lies outside of the connection, make of it. */
const TABLE: [string, Connection, ConnectionEvent, nowMs: number, Partial<Connection>, ConnectionEffect[]][] = [
  [
    'logged out, and it is this account alone',
    held,
    { type: 'set_aside_answer', allowed: true },
    6000,
    { keepsRefused: false },
    [{ type: 'set_aside', reason: 'logged_out' }],
  ],
  [
    'logged out, as many others at once: tried again later',
    held,
    { type: 'set_aside_answer', allowed: false },
    6000,
    {
      state: {
        name: 'waiting',
        untilMs: 606_000,
        status: 'needs_qr',
        reason: 'logged_out',
        code: 401,
        onRetry: false,
      },
    },
    [],
  ],
  [
    'logged out, and the operator wants a new pairing before that',
    heldLonger,
    { type: 'pair', linked: true },
    6000,
    {
      keepsRefused: false,
      pairing: true,
      state: { name: 'queued', untilMs: 306_000, reason: 'starting', code: null },
    },
    [{ type: 'set_aside', reason: 'logged_out' }, ask],
  ],
  [
    'held back, tried again and waiting for its turn, and the operator wants a new pairing',
    { ...queued, keepsRefused: true, state: queuedAgain },
    { type: 'pair', linked: true },
    6000,
    {
      keepsRefused: false,
      pairing: true,
      state: { name: 'queued', untilMs: 300_000, reason: 'starting', code: null },
    },
    [{ type: 'set_aside', reason: 'logged_out' }],
  ],
  [
    'held back, tried again and on its way, and the operator wants a new pairing',
    { ...opening, keepsRefused: true, state: openingAgain },
    { type: 'pair', linked: true },
    6000,
    {
      keepsRefused: false,
      pairing: true,
      state: { name: 'queued', untilMs: 306_000, reason: 'starting', code: null },
    },
    [{ type: 'tear_down', socket: 3 }, unused, { type: 'set_aside', reason: 'logged_out' }, ask],
  ],
  [
    'held back, and it opens after all',
    { ...opening, keepsRefused: true },
    { type: 'open', socket: 3, wrongPhone: false },
    5000,
    { keepsRefused: false, state: { name: 'open', sinceMs: 5000, nextCheckMs: 65_000, probeSentMs: null } },
    [opened, hide],
  ],
  ['an answer that nobody waits for any more', open, { type: 'set_aside_answer', allowed: true }, 5000, {}, []],
  [
    'pairing, the phone wants a passkey',
    pairing,
    { type: 'passkey_required', socket: 3 },
    5000,
    { pairing: false, state: { name: 'idle', status: 'needs_qr', reason: 'passkey_required', code: null } },
    [hide, tearDown],
  ],
  [
    'open, and another account is this number: the session is kept',
    open,
    { type: 'number_taken' },
    5000,
    { state: taken },
    [hide, tearDown],
  ],
  [
    'open, linked a moment ago, and another account is this number: unlinked again',
    { ...open, linkedHere: true },
    { type: 'number_taken' },
    5000,
    { state: { ...taken, status: 'needs_qr' } },
    [{ type: 'log_out', socket: 3 }, tearDown, { type: 'set_aside', reason: 'number_taken' }],
  ],
  ['waiting for its turn, and the number is taken', queued, { type: 'number_taken' }, 5000, { state: taken }, []],
  [
    'opening, and the number is taken',
    opening,
    { type: 'number_taken' },
    5000,
    { state: taken },
    [hide, tearDown, unused],
  ],
  [
    'too old, and another version is announced from now on: at once',
    outdated,
    { type: 'version_changed' },
    5000,
    { state: { name: 'queued', untilMs: 305_000, reason: 'client_outdated', code: 405 } },
    [ask],
  ],
  ['down for another reason, another version changes nothing', waiting, { type: 'version_changed' }, 5000, {}, []],
  [
    'open, the process has grown',
    open,
    { type: 'retire' },
    5000,
    { state: { name: 'stopped' } },
    [tearDown, { type: 'renew_process' }],
  ],
  ['idle, the process has grown: nothing is under way that it could slow down', idle, { type: 'retire' }, 5000, {}, []],
  [
    'idle because it was told to stay down, the process has grown: a fresh one would connect again',
    at(banned),
    { type: 'retire' },
    5000,
    {},
    [],
  ],
  ['opening, the process has grown: not now', opening, { type: 'retire' }, 5000, {}, []],
  ['pairing, the process has grown: not now', pairing, { type: 'retire' }, 5000, {}, []],
]

for (const [title, from, event, nowMs, to, effects] of TABLE) {
  t.test(title, async (t) => {
    const [next, done] = stepConnection(from, event, nowMs, LIMITS)
    t.strictSame(next, { ...from, ...to })
    t.strictSame(done, effects)
  })
}
