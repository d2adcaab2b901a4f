import { DisconnectReason } from '@whiskeysockets/baileys'
import t from 'tap'
import {
  CLOSED_FROM,
  POLICY,
  verdictOn,
  type CloseCause,
  type Follows,
} from '../../../../worker/core/disconnect-policy.ts'

type Expected = [status: string, reason: string, follows: Follows, gate: 'answered' | 'failed']

/** The table "What ends a connection, and what follows", row by row. */
const DESIGN: [row: string, CloseCause, Expected][] = [
  ['restart required', { from: 'stream', code: 515 }, ['connecting', 'restart_required', 'at_once', 'answered']],
  ['connection closed', { from: 'transport', code: 428 }, ['disconnected', 'connection_closed', 'backoff', 'failed']],
  [
    'connection lost, ECONNREFUSED, DNS',
    { from: 'transport', code: 408 },
    ['disconnected', 'connection_lost', 'backoff', 'failed'],
  ],
  [
    '500 without damage to the session',
    { from: 'stream', code: 500 },
    ['disconnected', 'server_error', 'backoff', 'failed'],
  ],
  [
    '500 of Baileys itself',
    { from: 'transport', code: 500 },
    ['disconnected', 'connection_closed', 'backoff', 'failed'],
  ],
  ['503 at login', { from: 'login', code: 503 }, ['disconnected', 'server_error', 'backoff', 'failed']],
  ['503 later', { from: 'stream', code: 503 }, ['disconnected', 'server_error', 'backoff', 'failed']],
  ['no multi-device', { from: 'transport', code: 411 }, ['disconnected', 'refused', 'spend', 'failed']],
  ['500 at login', { from: 'login', code: 500 }, ['disconnected', 'server_error', 'backoff', 'failed']],
  ['refused at login', { from: 'login', code: 400 }, ['disconnected', 'refused', 'spend', 'failed']],
  ['logged out at login', { from: 'login', code: 401 }, ['needs_qr', 'logged_out', 'unlink', 'answered']],
  ['logged out later', { from: 'stream', code: 401 }, ['needs_qr', 'logged_out', 'unlink', 'answered']],
  ['banned for a time', { from: 'login', code: 402 }, ['disconnected', 'temporarily_banned', 'stop', 'answered']],
  ['locked', { from: 'login', code: 403 }, ['disconnected', 'forbidden', 'stop', 'answered']],
  ['banned', { from: 'login', code: 406 }, ['disconnected', 'banned', 'stop', 'answered']],
  ['client too old', { from: 'login', code: 405 }, ['disconnected', 'client_outdated', 'slowly', 'failed']],
  ['replaced', { from: 'stream', code: 440 }, ['disconnected', 'replaced', 'once_more', 'answered']],
  ['QR codes used up', { from: 'qr_expired', code: 408 }, ['needs_qr', 'qr_expired', 'wait_for_operator', 'answered']],
  ['HTTP 403 on upgrade', { from: 'upgrade', code: 403 }, ['disconnected', 'connect_refused', 'backoff', 'failed']],
  ['no event at all', { from: 'open_timeout', code: null }, ['disconnected', 'connect_timeout', 'backoff', 'failed']],
  ['open, but silent', { from: 'stale', code: null }, ['connecting', 'stale', 'at_once', 'failed']],
  ['open, but deaf', { from: 'deaf', code: null }, ['connecting', 'deaf', 'at_once', 'answered']],
  ['a corrupt frame', { from: 'protocol', code: null }, ['disconnected', 'protocol_error', 'backoff', 'failed']],
  ['no code at all', { from: 'transport', code: null }, ['disconnected', 'connection_closed', 'backoff', 'failed']],
]

for (const [row, cause, [status, reason, follows, gate]] of DESIGN) {
  t.test(`${row} (${cause.from} ${cause.code})`, async (t) => {
    t.strictSame(verdictOn(cause), { status, reason, follows, gate })
  })
}

/** What was seen with injected faults at the real Baileys: the end that each fault showed, and what has to follow. */
const OBSERVED: [fault: string, from: CloseCause['from'], codes: readonly (number | null)[], Follows][] = [
  ['TCP drop, ws close 1000 and 1011, xmlstreamend, drop while a QR code shows', 'transport', [428], 'backoff'],
  ['silent or frozen server, no <success>, no upgrade, ECONNREFUSED, corrupt frame', 'transport', [408], 'backoff'],
  ['bad certificate', 'transport', [400], 'backoff'],
  ['our own end', 'transport', [null], 'backoff'],
  ['pair-success with a wrong HMAC', 'transport', [500], 'backoff'],
  ['ib downgrade_webclient', 'transport', [411], 'spend'],
  ['HTTP error on upgrade', 'upgrade', [null, 400, 401, 403, 404, 405, 429, 500, 502, 503], 'backoff'],
  ['stream:error, the server has a problem', 'stream', [null, 429, 500, 503, 516, 540], 'backoff'],
  ['stream:error 515', 'stream', [515], 'at_once'],
  ['stream:error conflict', 'stream', [440], 'once_more'],
  ['stream:error device_removed', 'stream', [401], 'unlink'],
  ['stream:error 403', 'stream', [403], 'stop'],
  ['failure: logged out', 'login', [401], 'unlink'],
  ['failure: banned or locked', 'login', [402, 403, 406], 'stop'],
  ['failure: the client', 'login', [405, 409, 418], 'slowly'],
  ['failure: the server', 'login', [429, 500, 501, 503], 'backoff'],
  ['failure: refused', 'login', [400, 411, 413, 414, 415, 463, 999, null], 'spend'],
]

for (const [fault, from, codes, follows] of OBSERVED) {
  t.test(`${fault}: ${follows}`, async (t) => {
    for (const code of codes) t.equal(verdictOn({ from, code }).follows, follows, `${from} ${code}`)
  })
}

t.test('only a word of WhatsApp itself can cost a session', async (t) => {
  const costly = new Set<Follows>(['spend', 'unlink'])
  for (let code = 0; code < 1000; code++) {
    for (const from of ['upgrade', 'open_timeout', 'stale', 'deaf', 'protocol', 'qr_expired'] as const) {
      const { follows } = verdictOn({ from, code })
      if (costly.has(follows)) t.fail(`${from} ${code}: ${follows}`)
    }
    const { follows } = verdictOn({ from: 'transport', code })
    if (costly.has(follows)) t.equal(code, 411, `transport ${code}: ${follows}`)
  }
})

t.test('what slows the whole fleet down is what other accounts would meet as well', async (t) => {
  for (let code = 300; code < 600; code++) {
    for (const from of ['login', 'stream', 'transport'] as const) {
      const { follows, gate } = verdictOn({ from, code })
      const shared = follows === 'backoff' || follows === 'slowly' || follows === 'spend'
      t.equal(gate, shared ? 'failed' : 'answered', `${from} ${code}`)
    }
  }
})

t.test(
  'each kind of end has one answer to every code, and each row can be reached and says where it is from',
  async (t) => {
    for (const from of CLOSED_FROM) {
      for (const code of [null, 0, 200, 418, 999]) t.doesNotThrow(() => verdictOn({ from, code }))
      const rows = POLICY.filter((row) => row.from === from)
      t.strictSame(
        rows.filter(({ codes }) => codes === 'any'),
        rows.slice(-1),
        `${from}: one row for any other code, the last one`,
      )
      const codes = rows.flatMap((row) => (row.codes === 'any' ? [] : row.codes))
      t.equal(new Set(codes).size, codes.length, `${from}: no code twice`)
      for (const { source } of rows) t.ok(source.length > 10)
    }
  },
)

t.test('every code that Baileys names has a row of its own', async (t) => {
  const named = new Set(Object.values(DisconnectReason).filter((code) => typeof code === 'number'))
  for (const code of named) {
    t.ok(
      POLICY.some(({ codes }) => codes !== 'any' && codes.includes(code)),
      String(code),
    )
  }
})
