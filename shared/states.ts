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
  qr_expired: 'Nobody scanned the QR code in time.',
  logged_out: 'The phone removed this device. The old session was set aside.',
  bad_session: 'WhatsApp kept refusing the session. It was set aside.',
  wrong_phone: 'The phone that scanned is not the phone of this account.',
  passkey_required:
    'WhatsApp wants a passkey before it links a device of this number, which the library beneath this service can not give.',
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
  out_of_memory: 'The machine ran out of memory, and the kernel ended the worker process.',
  restore_waiting:
    'The session is not on this disk, and its backup can not be had now; it is asked for again and again.',
  // down until a person decides
  restore_failed: 'The session is not on this disk, and its backup can not be used.',
  replaced: 'Another program uses this session.',
  temporarily_banned: 'WhatsApp banned this number for a time.',
  forbidden: 'WhatsApp locked this account.',
  banned: 'WhatsApp banned this number.',
  client_outdated: 'WhatsApp refuses this client version.',
  number_taken: 'Another account is this WhatsApp number already.',
  session_damaged: 'The session files can not be read as what they were written. Nothing was touched.',
  paused: 'Paused by the operator.',
  stopped: 'The account is stopped.',
} as const satisfies Record<string, string>

export type Reason = keyof typeof REASONS

export const REASON_NAMES = Object.keys(REASONS) as Reason[]

/** What a person can do about an account, as one word: which button is the right one. */
export const TODO_ACTIONS = [
  'scan_qr',
  'ask_for_qr',
  'restart',
  'resume',
  'recover',
  'remove_one',
  'see_phone',
  'free_disk',
  'check_disk',
  'end_other_process',
  'free_memory',
  'update',
  'check_backup',
] as const
export type TodoAction = (typeof TODO_ACTIONS)[number]

export interface Todo {
  action: TodoAction
  /** In words, for whoever looks at the account. */
  message: string
  /** Nothing changes before it is done. Otherwise the account goes on trying, and comes back when the cause is gone. */
  isNeeded: boolean
}

const needed = (action: TodoAction, message: string): Todo => ({ action, message, isNeeded: true })
const helpful = (action: TodoAction, message: string): Todo => ({ action, message, isNeeded: false })

/** What the person should do, reason by reason. What is not here heals by itself, and there is nothing to do. */
export const TODOS: Readonly<Partial<Record<Reason, Todo>>> = {
  not_linked: needed('ask_for_qr', 'Ask for a QR code and scan it with the phone of this account.'),
  pairing: needed(
    'scan_qr',
    'Scan it with the phone of this account: WhatsApp, Settings, Linked devices, Link a device.',
  ),
  qr_expired: needed('ask_for_qr', 'Ask for a new QR code when the phone is at hand.'),
  logged_out: needed('ask_for_qr', 'Ask for a QR code and link the phone again.'),
  bad_session: needed('ask_for_qr', 'Ask for a QR code and link the phone again.'),
  wrong_phone: needed('ask_for_qr', 'Ask for a new QR code and scan it with the phone of this account.'),
  passkey_required: needed(
    'ask_for_qr',
    'Where the phone lets you, remove the passkey (WhatsApp, Settings, Account, Passkeys), then ask for a new QR code.',
  ),
  restore_failed: needed(
    'check_backup',
    'Give the key that sealed it (BACKUP_OLD_KEYS) and restart the service, or ask for a QR code to pair anew.',
  ),
  replaced: needed('restart', 'End the other program that uses this session, then restart the account.'),
  temporarily_banned: needed(
    'restart',
    'Wait until the ban is over (the phone shows how long), then restart the account.',
  ),
  forbidden: needed('see_phone', 'Open WhatsApp on the phone and follow what it says, then restart the account.'),
  banned: needed('see_phone', 'Open WhatsApp on the phone: a review can be asked for there. Then restart the account.'),
  client_outdated: needed('update', 'Update this service, or set WA_VERSION to a version that WhatsApp takes.'),
  number_taken: needed('remove_one', 'Remove one of the two accounts, then restart the other.'),
  session_damaged: needed(
    'recover',
    'Recover the session from its readable part, its previous generation or its backup.',
  ),
  paused: helpful('resume', 'Resume the account when it shall connect again.'),
  storage_full: helpful('free_disk', 'Make room on the disk of the sessions; the account comes back by itself.'),
  storage_failed: helpful(
    'check_disk',
    'Look after the disk of the sessions (dmesg, mount); the account goes on trying.',
  ),
  session_locked: helpful(
    'end_other_process',
    'Find out who holds it, and end that process; the account goes on trying.',
  ),
  out_of_memory: helpful(
    'free_memory',
    'Pause or remove another account, and this one tries at once; or give the machine more memory. It goes on trying by itself.',
  ),
  restore_waiting: helpful(
    'check_backup',
    'See that the backups can be reached; to begin with a new pairing instead, ask for a QR code.',
  ),
}

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
