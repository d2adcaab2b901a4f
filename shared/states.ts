/**
 * Three states, never mixed: what the operator wants, what the process does, what the connection does. The public status
 * is derived from the three (supervisor/core/status.ts) and never stored: a dead worker can't report its own death.
 */

/** What the operator wants; persisted. `removed` stays until the session is off the account's directory. */
export type DesiredState = 'running' | 'paused' | 'removed'

/** What the connection does; owned and reported by the worker. */
export type ConnectionStatus = 'connecting' | 'connected' | 'needs_qr' | 'disconnected'

/**
 * Why the connection is where it is: a closed list, so that a dashboard can have words for each, and a person can look it
 * up. What WhatsApp's close codes become is decided in worker/core/disconnect-policy.ts.
 */
export const REASONS = {
  // on the way up
  starting: 'The account is about to connect.',
  opening: 'The connection is being opened.',
  restart_required: 'WhatsApp asked for a new connection, as it does after a pairing.',
  stale: 'Nothing came from WhatsApp for too long; a new connection is being opened.',
  deaf: 'Messages came in but could not be taken up; a new connection is being opened.',
  restoring: 'The session is being restored from its backup.',
  // waiting for a phone
  not_linked: 'No phone has been linked yet.',
  pairing: 'A QR code waits to be scanned.',
  qr_expired: 'Nobody scanned the QR code in time. Ask for a new one.',
  logged_out: 'The phone removed this device. The old session was set aside; link again.',
  bad_session: 'WhatsApp kept refusing the session. It was set aside; link again.',
  wrong_phone: 'The phone that scanned is not the phone of this account. Scan with the right one.',
  passkey_required:
    'WhatsApp wants a passkey before it links a device of this number, which the library beneath this service can not give. Where the phone lets you, remove the passkey (WhatsApp, Settings, Account, Passkeys), then ask for a new QR code.',
  // down, comes back by itself
  connection_closed: 'WhatsApp or the network closed the connection.',
  connection_lost: 'The connection went silent or could not be opened.',
  connect_timeout: 'The connection was not open in time.',
  connect_refused: 'The server refused to open a connection.',
  server_error: 'WhatsApp answered with an error of its own.',
  protocol_error: 'Data that can not be decrypted came over the connection.',
  refused: 'WhatsApp refused the login.',
  storage_full: 'The disk is full. The session is whole up to the last acknowledged change.',
  storage_failed: 'The disk refused a write. The session is whole up to the last acknowledged change.',
  session_locked: 'Another process holds the session directory.',
  worker_crashed: 'The worker process ended unexpectedly.',
  worker_hung: 'The worker process stopped answering and was killed.',
  restore_waiting:
    'The session is not on this disk, and its backup can not be had now; it is asked for again and again. To begin with a new pairing instead, ask for a QR code.',
  // down until a person decides
  restore_failed:
    'The session is not on this disk, and its backup can not be used. Give the key that sealed it (BACKUP_OLD_KEYS) and restart, or ask for a QR code to pair anew.',
  replaced: 'Another program uses this session.',
  temporarily_banned: 'WhatsApp banned this number for a time.',
  forbidden: 'WhatsApp locked this account.',
  banned: 'WhatsApp banned this number.',
  client_outdated: 'WhatsApp refuses this client version.',
  number_taken: 'Another account is this WhatsApp number already. Remove one of the two, then restart the other.',
  session_damaged: 'The session files can not be read as what they were written. Nothing was touched.',
  paused: 'Paused by the operator.',
  stopped: 'The account is stopped.',
} as const satisfies Record<string, string>

export type Reason = keyof typeof REASONS

export const REASON_NAMES = Object.keys(REASONS) as Reason[]

/** What a worker says of its connection. */
export interface ConnectionReport {
  status: ConnectionStatus
  reason: Reason | null
  /** The close code behind the reason, where there was one. */
  code: number | null
  /** Tries since the last healthy minute. */
  attempt: number
  /** Epoch ms of the next try; null when none is planned. */
  nextTryAtMs: number | null
}
