import type { ConnectionStatus, Reason } from '../../shared/states.ts'

/**
 * What ends a connection, and what follows: the one place to change it.
 *
 * Codes are those Baileys reports as `lastDisconnect.error.output.statusCode`; each row of POLICY says where its meaning is
 * known from: Baileys' DisconnectReason, whatsmeow's list of connect failure reasons, or faults that were injected
 * (test/integration/supervisor/*faults.test.ts).
 */
export type Follows =
  /** A new socket at once; spends nothing. */
  | 'at_once'
  /** A new socket after a backoff, for ever: an outage never costs a session. */
  | 'backoff'
  /**
   * As backoff, and counted towards MAX_RECONNECT_ATTEMPTS; when they are used up the session is set aside. Not counted
   * while connects of other accounts fail as well: what refuses them all is no verdict on one session.
   */
  | 'spend'
  /** One more try after a minute, then nothing before the operator asks. */
  | 'once_more'
  /** A try every ten minutes: nothing changes before the client version does. */
  | 'slowly'
  /** Nothing before the operator asks; the session is kept. */
  | 'stop'
  /**
   * The session is worthless: it is set aside, and the account waits for a new pairing. Unless so many accounts are
   * refused at once that it can't be their phones' doing (supervisor/core/mass-refusal.ts): then it is tried again later.
   */
  | 'unlink'
  /** Nobody scanned: the account waits for the operator to ask for a new QR code. */
  | 'wait_for_operator'

export interface Verdict {
  status: ConnectionStatus
  reason: Reason
  follows: Follows
  /** What the connect gate learns: a refusal of this account says nothing about the others. */
  gate: 'answered' | 'failed'
}

/** How a connection ended, as the socket's shell saw it. */
export interface CloseCause {
  /**
   * `transport`: the WebSocket or the network. `login`: WhatsApp's <failure>. `stream`: WhatsApp's <stream:error>.
   * `upgrade`: HTTP status instead of a WebSocket. `qr_expired`: no scan. Others are our own watchdogs.
   */
  from: (typeof CLOSED_FROM)[number]
  code: number | null
}

export const CLOSED_FROM = [
  'transport',
  'login',
  'stream',
  'upgrade',
  'qr_expired',
  'open_timeout',
  'stale',
  'deaf',
  'protocol',
] as const

/** One row of the policy: an end of this kind with one of these codes, what follows, and where the code is known from. */
export interface PolicyRow extends Verdict {
  from: CloseCause['from']
  /** `any`: with every code that no row before has, and without one. */
  codes: readonly number[] | 'any'
  /** Where that meaning comes from; `observed`: injected at the protocol simulator, seen in the real Baileys. */
  source: string
}

const row = (
  from: CloseCause['from'],
  codes: PolicyRow['codes'],
  status: ConnectionStatus,
  reason: Reason,
  follows: Follows,
  gate: Verdict['gate'],
  source: string,
): PolicyRow => ({ from, codes, status, reason, follows, gate, source })

/** Codes that WhatsApp itself says, and means the same at login and later. */
const ofWhatsApp = (from: 'login' | 'stream'): PolicyRow[] => [
  row(
    from,
    [401],
    'needs_qr',
    'logged_out',
    'unlink',
    'answered',
    'DisconnectReason.loggedOut; observed: the phone removed the device',
  ),
  row(
    from,
    [402],
    'disconnected',
    'temporarily_banned',
    'stop',
    'answered',
    'whatsmeow: temporary ban, with code and expire',
  ),
  row(
    from,
    [403],
    'disconnected',
    'forbidden',
    'stop',
    'answered',
    'DisconnectReason.forbidden; whatsmeow: account locked',
  ),
  row(from, [405], 'disconnected', 'client_outdated', 'slowly', 'failed', 'whatsmeow: client outdated'),
  row(from, [406], 'disconnected', 'banned', 'stop', 'answered', 'whatsmeow: banned'),
  // Both speak of the client, as 405 does, and never of the session.
  row(
    from,
    [409, 418],
    'disconnected',
    'client_outdated',
    'slowly',
    'failed',
    'whatsmeow: bad user agent, client unknown',
  ),
  // Too many requests: pressing on would make it worse, and it says nothing about the session.
  row(
    from,
    [429],
    'disconnected',
    'server_error',
    'backoff',
    'failed',
    'HTTP: too many requests; observed, no other source',
  ),
  row(
    from,
    [440],
    'disconnected',
    'replaced',
    'once_more',
    'answered',
    'DisconnectReason.connectionReplaced; observed: <conflict type="replaced">, and device_removed without a code',
  ),
  row(
    from,
    [503],
    'disconnected',
    'server_error',
    'backoff',
    'failed',
    'DisconnectReason.unavailableService; whatsmeow: retry',
  ),
  row(
    from,
    [515],
    'connecting',
    'restart_required',
    'at_once',
    'answered',
    'DisconnectReason.restartRequired; observed after a pairing',
  ),
]

/** The first row that fits counts. */
export const POLICY: readonly PolicyRow[] = [
  // WhatsApp read the login and said no: <failure reason>.
  ...ofWhatsApp('login'),
  // Its own trouble, which may last for hours: no verdict on a session.
  row(
    'login',
    [500, 501],
    'disconnected',
    'server_error',
    'backoff',
    'failed',
    'whatsmeow: 500 internal error, 501 experimental, both tried again',
  ),
  row(
    'login',
    [400, 411, 413, 414, 415, 463],
    'disconnected',
    'refused',
    'spend',
    'failed',
    'whatsmeow: 400 generic failure, 413 and 414 a token expired or invalid, 415 not found; 411 and 463 observed',
  ),
  row('login', 'any', 'disconnected', 'refused', 'spend', 'failed', 'a refusal that nobody has described'),

  // An open stream that WhatsApp ends: <stream:error>.
  ...ofWhatsApp('stream'),
  row(
    'stream',
    [500, 516, 540],
    'disconnected',
    'server_error',
    'backoff',
    'failed',
    'DisconnectReason.badSession for 500, which Baileys also says where no code came; observed: the session connects again',
  ),
  row(
    'stream',
    'any',
    'disconnected',
    'server_error',
    'backoff',
    'failed',
    'an open stream that ends with an error is no verdict on the session',
  ),

  // The WebSocket or the network, without a word of WhatsApp. Also a proxy's 401: no verdict of WhatsApp's.
  row(
    'transport',
    [408],
    'disconnected',
    'connection_lost',
    'backoff',
    'failed',
    'DisconnectReason.connectionLost and timedOut; observed: silence, ECONNREFUSED, DNS, no upgrade, no login answer',
  ),
  row(
    'transport',
    [411],
    'disconnected',
    'refused',
    'spend',
    'failed',
    'DisconnectReason.multideviceMismatch; observed: <ib><downgrade_webclient>',
  ),
  row(
    'transport',
    [428],
    'disconnected',
    'connection_closed',
    'backoff',
    'failed',
    'DisconnectReason.connectionClosed; observed: TCP drop, WebSocket close, xmlstreamend',
  ),
  row(
    'transport',
    'any',
    'disconnected',
    'connection_closed',
    'backoff',
    'failed',
    'observed: 400 certificate of another root, 500 a pairing whose signature is wrong, none for socket.end()',
  ),

  // An HTTP status instead of a WebSocket, which Baileys does not report.
  row('upgrade', 'any', 'disconnected', 'connect_refused', 'backoff', 'failed', 'observed: 403, 429, 503'),
  row(
    'qr_expired',
    'any',
    'needs_qr',
    'qr_expired',
    'wait_for_operator',
    'answered',
    'observed: 408 "QR refs attempts ended"',
  ),

  // Our own watchdogs.
  row('open_timeout', 'any', 'disconnected', 'connect_timeout', 'backoff', 'failed', 'neither open nor closed in time'),
  row('stale', 'any', 'connecting', 'stale', 'at_once', 'failed', 'silence, and no answer to a ping: core/liveness.ts'),
  row(
    'deaf',
    'any',
    'connecting',
    'deaf',
    'at_once',
    'answered',
    'frames come, messages lead to nothing: core/hearing.ts',
  ),
  row(
    'protocol',
    'any',
    'disconnected',
    'protocol_error',
    'backoff',
    'failed',
    'a frame that fails its tag; observed: every frame after it fails too',
  ),
]

/** The verdict on one end of a connection. Pure table look-up; attempts and delays are counted in after-close.ts. */
export function verdictOn({ from, code }: CloseCause): Verdict {
  const found = POLICY.find(
    (one) => one.from === from && (one.codes === 'any' || (code !== null && one.codes.includes(code))),
  )
  // Each kind of end has a row for any code: a test holds this.
  if (found === undefined) throw new Error(`The policy has no row for an end by ${from}.`)
  const { status, reason, follows, gate } = found
  return { status, reason, follows, gate }
}
