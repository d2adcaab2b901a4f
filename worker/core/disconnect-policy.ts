import type { ConnectionStatus, Reason } from '../../shared/states.ts'

/**
 * What ends a connection, and what follows: the one place to change it.
 *
 * Codes are those Baileys reports as `lastDisconnect.error.output.statusCode`. Their meaning comes from Baileys'
 * DisconnectReason, from what was observed with injected faults (test/integration/worker/), and for the refusals at login
 * from whatsmeow's list of connect failure reasons.
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
  from: 'transport' | 'login' | 'stream' | 'upgrade' | 'qr_expired' | 'open_timeout' | 'stale' | 'deaf' | 'protocol'
  code: number | null
}

const down = (reason: Reason, follows: Follows, gate: Verdict['gate'] = 'answered'): Verdict => ({
  status: 'disconnected',
  reason,
  follows,
  gate,
})

/** The codes that mean the same wherever they come from. */
const BY_CODE: Readonly<Record<number, Verdict>> = {
  401: { status: 'needs_qr', reason: 'logged_out', follows: 'unlink', gate: 'answered' },
  402: down('temporarily_banned', 'stop'),
  403: down('forbidden', 'stop'),
  405: down('client_outdated', 'slowly', 'failed'),
  406: down('banned', 'stop'),
  // 409 bad user agent and 418 client unknown speak of the client, as 405 does, and never of the session.
  409: down('client_outdated', 'slowly', 'failed'),
  418: down('client_outdated', 'slowly', 'failed'),
  // Too many requests: pressing on would make it worse, and it says nothing about the session.
  429: down('server_error', 'backoff', 'failed'),
  440: down('replaced', 'once_more'),
  503: down('server_error', 'backoff', 'failed'),
  515: { status: 'connecting', reason: 'restart_required', follows: 'at_once', gate: 'answered' },
}

/** The verdict on one end of a connection. Pure table look-up; attempts and delays are counted in connection.ts. */
export function verdictOn(cause: CloseCause): Verdict {
  switch (cause.from) {
    case 'qr_expired':
      return { status: 'needs_qr', reason: 'qr_expired', follows: 'wait_for_operator', gate: 'answered' }
    case 'open_timeout':
      return down('connect_timeout', 'backoff', 'failed')
    case 'stale':
      return { status: 'connecting', reason: 'stale', follows: 'at_once', gate: 'failed' }
    case 'deaf':
      return { status: 'connecting', reason: 'deaf', follows: 'at_once', gate: 'answered' }
    case 'protocol':
      return down('protocol_error', 'backoff', 'failed')
    case 'upgrade':
      return down('connect_refused', 'backoff', 'failed')
    case 'login':
      // WhatsApp was reached, read the login and said no. 400, 411, 413 to 415, 463 and whatever is new.
      // But 500 and 501 are its own trouble, which may last for hours: they say nothing about a session either.
      if (cause.code === 500 || cause.code === 501) return down('server_error', 'backoff', 'failed')
      return BY_CODE[cause.code ?? 0] ?? down('refused', 'spend', 'failed')
    case 'stream':
      // An open stream that ends with an error of the server (500, 516, 540, ...) is no verdict on the session.
      return BY_CODE[cause.code ?? 0] ?? down('server_error', 'backoff', 'failed')
    case 'transport':
      // 411 comes without a <failure>: WhatsApp says that this number has no multi-device.
      if (cause.code === 411) return down('refused', 'spend', 'failed')
      // Whatever else comes without a word of WhatsApp (a proxy's 401, say) is no verdict of WhatsApp's.
      return cause.code === 408
        ? down('connection_lost', 'backoff', 'failed')
        : down('connection_closed', 'backoff', 'failed')
    default:
      return cause.from satisfies never
  }
}
