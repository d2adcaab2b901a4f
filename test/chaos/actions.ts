import type { Fault } from '../simulator/faults.ts'

/** What an action does; plain data, so that a plan can be printed, compared and repeated. */
export type Act =
  /** `cut`: the account's connection is cut at once, so that the fault meets the next one. `forMs`: armed until then. */
  | { readonly do: 'inject'; readonly fault: Fault; readonly cut: boolean; readonly forMs: number | null }
  | { readonly do: 'unlink' }
  | { readonly do: 'kill_worker' }
  | { readonly do: 'stop_worker'; readonly forMs: number }
  | { readonly do: 'pause_account'; readonly forMs: number }
  | { readonly do: 'restart_account' }
  | { readonly do: 'drop_all' }
  | { readonly do: 'stop_listening'; readonly forMs: number }
  | { readonly do: 'freeze_server'; readonly forMs: number }
  | { readonly do: 'kill_supervisor'; readonly forMs: number }
  | { readonly do: 'restart_service' }
  | { readonly do: 'fill_disk'; readonly forMs: number }

export interface Action {
  readonly atMs: number
  /** As in the tables below. */
  readonly name: string
  /** Digits of the account that is struck; null: all of them. */
  readonly phone: string | null
  readonly act: Act
}

/** Draws a whole number of milliseconds between two bounds. */
export type Draw = (minMs: number, maxMs: number) => number

export interface Kind {
  readonly name: string
  /** Found only by a keep-alive, a query time-out or a missing heartbeat: up to `SLOW_MS` pass before it is noticed. */
  readonly slow?: true
  /** Parks the account until a person acts: the run's operator restarts it. */
  readonly operator?: true
  /** How often it may strike one account in a run. */
  readonly cap?: number
  make(phone: string, draw: Draw): Act
}

/** Baileys' keep-alive 20 s and 5 s more, its query time-out 20 s, a missing heartbeat 30 s; and the way back. */
export const SLOW_MS = 45_000

const kind = (name: string, make: Kind['make'], more: Partial<Kind> = {}): Kind => ({ name, make, ...more })
const inject = (fault: Fault, more: { cut?: true; forMs?: number } = {}): Act => ({
  do: 'inject',
  fault,
  cut: more.cut ?? false,
  forMs: more.forMs ?? null,
})
const OPERATOR = { operator: true } as const
const SLOW = { slow: true } as const

/**
 * One account at a time. What speaks of messages that an account sends (`ignore_usync`, `refuse_messages`,
 * `withhold_message_acks`, `ask_retry`) or of a pairing (`wrong_pair_hmac`, `require_passkey`) is left out: here accounts
 * receive. `outdated_client` is `fail_login 405` for whoever comes.
 */
export const ACCOUNT_KINDS: readonly Kind[] = [
  kind('drop', (phone) => inject({ kind: 'drop', phone })),
  kind('drop at login', (phone) => inject({ kind: 'drop', during: 'login', phone }, { cut: true })),
  kind('close 1011', (phone) => inject({ kind: 'close', code: 1011, phone })),
  kind('freeze', (phone) => inject({ kind: 'freeze', phone }), SLOW),
  kind('silence', (phone) => inject({ kind: 'silence', phone }), SLOW),
  kind('stream_error 515', (phone) => inject({ kind: 'stream_error', code: 515, phone })),
  kind('stream_error 503', (phone) => inject({ kind: 'stream_error', code: 503, phone })),
  kind('stream_error 500', (phone) => inject({ kind: 'stream_error', code: 500, phone })),
  kind('stream_error 429', (phone) => inject({ kind: 'stream_error', code: 429, phone })),
  kind('stream_error ack', (phone) => inject({ kind: 'stream_error', child: 'ack', phone })),
  kind('stream_error 403', (phone) => inject({ kind: 'stream_error', code: 403, phone }), OPERATOR),
  kind('replaced', (phone) => inject({ kind: 'stream_error', conflict: 'replaced', phone }), OPERATOR),
  kind('stream_end', (phone) => inject({ kind: 'stream_end', phone })),
  // Five of them over ten minutes without a healthy one between would set the session aside, and rightly so.
  kind('downgrade', (phone) => inject({ kind: 'downgrade', phone }), { cap: 3 }),
  kind('corrupt_frame', (phone) => inject({ kind: 'corrupt_frame', phone })),
  kind('unparsable_node', (phone) => inject({ kind: 'unparsable_node', phone })),
  kind('fail_login 500', (phone) => inject({ kind: 'fail_login', reason: 500, phone }, { cut: true })),
  kind('fail_login 503', (phone) => inject({ kind: 'fail_login', reason: 503, phone }, { cut: true })),
  kind('fail_login 429', (phone) => inject({ kind: 'fail_login', reason: 429, phone }, { cut: true })),
  kind('fail_login 515', (phone) => inject({ kind: 'fail_login', reason: 515, phone }, { cut: true })),
  kind('fail_login 402', (phone) => inject({ kind: 'fail_login', reason: 402, phone }, { cut: true }), OPERATOR),
  kind('fail_login 403', (phone) => inject({ kind: 'fail_login', reason: 403, phone }, { cut: true }), OPERATOR),
  kind('fail_login 405', (phone) => inject({ kind: 'fail_login', reason: 405, phone }, { cut: true }), OPERATOR),
  kind('fail_login 406', (phone) => inject({ kind: 'fail_login', reason: 406, phone }, { cut: true }), OPERATOR),
  kind('no_success', (phone) => inject({ kind: 'no_success', phone }, { cut: true }), SLOW),
  kind(
    'ignore_pings',
    (phone, draw) => inject({ kind: 'ignore_pings', phone, times: 'until_cleared' }, { forMs: draw(25_000, 40_000) }),
    SLOW,
  ),
  kind(
    'ignore_encrypt',
    (phone, draw) =>
      inject({ kind: 'ignore_encrypt', phone, times: 'until_cleared' }, { cut: true, forMs: draw(5_000, 25_000) }),
    SLOW,
  ),
  // Half a minute until the device asks once more.
  kind('refuse_active', (phone) => inject({ kind: 'refuse_active', phone }, { cut: true }), SLOW),
  // Its watchdog takes a minute, longer than any other's.
  kind('stall_login', (phone) => inject({ kind: 'stall_login', phone }, { cut: true }), { slow: true, cap: 2 }),
  // The account's next message comes again at the login after it, as if the connection had ended before the receipt.
  kind('forget_receipt', (phone) => inject({ kind: 'forget_receipt', phone, times: 3 })),
  kind('corrupt_message', (phone) => inject({ kind: 'corrupt_message', phone, times: 2 })),
  // These strike whoever connects next; the account's own connection is cut, so that somebody does.
  kind('refuse_upgrade 403', () => inject({ kind: 'refuse_upgrade', status: 403 }, { cut: true })),
  kind('refuse_upgrade 429', () => inject({ kind: 'refuse_upgrade', status: 429, times: 2 }, { cut: true })),
  kind('refuse_upgrade 503', () => inject({ kind: 'refuse_upgrade', status: 503, times: 3 }, { cut: true })),
  kind('never_upgrade', () => inject({ kind: 'never_upgrade' }, { cut: true }), SLOW),
  kind('no_server_hello', () => inject({ kind: 'no_server_hello' }, { cut: true }), SLOW),
  kind('delay_handshake', (_, draw) => inject({ kind: 'delay_handshake', delayMs: draw(500, 8_000) }, { cut: true })),
  kind('bad_certificate', () => inject({ kind: 'bad_certificate' }, { cut: true })),
  kind('kill -9 worker', () => ({ do: 'kill_worker' })),
  kind('SIGSTOP worker', (_, draw) => ({ do: 'stop_worker', forMs: draw(2_000, 8_000) })),
  kind('SIGSTOP worker until hung', () => ({ do: 'stop_worker', forMs: 40_000 }), SLOW),
  kind('pause and resume', (_, draw) => ({ do: 'pause_account', forMs: draw(1_000, 6_000) })),
  kind('restart account', () => ({ do: 'restart_account' })),
]

/** All accounts at once; the first three come first in every run, in an order of its own. */
export const FLEET_KINDS: readonly Kind[] = [
  kind('kill -9 supervisor', (_, draw) => ({ do: 'kill_supervisor', forMs: draw(200, 4_000) })),
  kind('full disk', (_, draw) => ({ do: 'fill_disk', forMs: draw(4_000, 10_000) })),
  kind('server not listening', (_, draw) => ({ do: 'stop_listening', forMs: draw(3_000, 8_000) })),
  kind('drop all', () => ({ do: 'drop_all' })),
  kind('frozen server', (_, draw) => ({ do: 'freeze_server', forMs: draw(4_000, 8_000) }), SLOW),
  kind('restart service', () => ({ do: 'restart_service' })),
]
export const FIRST_FLEET_KINDS = 3

export const UNLINK: Kind = kind('unlinked by its phone', () => ({ do: 'unlink' }))
