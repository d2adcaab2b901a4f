/**
 * Every error that a person or a program can be shown: code, HTTP status, meaning. Messages are written where the error
 * is raised, and name the value seen, what was wanted, and what to do.
 */
export const ERRORS = {
  bad_request: { httpStatus: 400, meaning: 'The body is not JSON, or does not fit the schema.' },
  invalid_phone: { httpStatus: 400, meaning: 'Not a phone number with its country code.' },
  unauthorized: { httpStatus: 401, meaning: 'No token, or a wrong one.' },
  forbidden: { httpStatus: 403, meaning: 'Not from this page, or not with this token: a viewer only looks.' },
  not_found: { httpStatus: 404, meaning: 'No such route.' },
  account_not_found: { httpStatus: 404, meaning: 'No account of that id.' },
  action_not_found: { httpStatus: 404, meaning: 'No such action, or it was over long ago.' },
  token_not_found: { httpStatus: 404, meaning: 'No access token of that id.' },
  qr_not_offered: { httpStatus: 404, meaning: 'The account offers no QR code now; it says why.' },
  not_acceptable: { httpStatus: 406, meaning: 'None of the types that the request accepts is to be had.' },
  set_aside_not_found: { httpStatus: 404, meaning: 'No session of that id was set aside.' },
  too_many_accounts: { httpStatus: 409, meaning: 'MAX_ACCOUNTS is reached.' },
  too_many_tokens: { httpStatus: 409, meaning: 'No more access tokens: revoke one first.' },
  too_many_actions: { httpStatus: 409, meaning: 'Too many actions are under way.' },
  already_linked: { httpStatus: 409, meaning: 'The account is linked: there is nothing to pair.' },
  not_connected: { httpStatus: 409, meaning: 'The account has to be connected for this.' },
  account_paused: { httpStatus: 409, meaning: 'The account is paused: resume it first.' },
  connects_paused: { httpStatus: 409, meaning: 'All connects are paused: resume them first.' },
  pairing_unavailable: { httpStatus: 503, meaning: 'No pairing could be begun now; the account says why.' },
  account_removing: { httpStatus: 409, meaning: 'The account is being removed.' },
  session_in_use: { httpStatus: 409, meaning: 'Another program holds the session of this account.' },
  session_mismatch: { httpStatus: 409, meaning: 'The session is of another phone than the account.' },
  not_damaged: {
    httpStatus: 409,
    meaning: 'The account did not stop for a damaged session: there is nothing to recover.',
  },
  recovery_refused: { httpStatus: 409, meaning: 'The damaged session can not be recovered in this way.' },
  backups_disabled: { httpStatus: 409, meaning: 'No backups are kept: FIRESTORE_PROJECT_ID is not set.' },
  payload_too_large: { httpStatus: 413, meaning: 'The body is larger than the route takes.' },
  unsupported_media_type: { httpStatus: 415, meaning: 'The body is not sent as application/json.' },
  too_many_requests: {
    httpStatus: 429,
    meaning: 'Too many wrong tokens from this address, or too many event streams.',
  },
  internal: { httpStatus: 500, meaning: 'A bug: the log has the details.' },
  out_of_memory: { httpStatus: 503, meaning: 'The machine has no memory for this.' },
  storage_unavailable: { httpStatus: 503, meaning: 'The disk refused a write.' },
  shutting_down: { httpStatus: 503, meaning: 'The service is stopping.' },
  bad_config: { httpStatus: 500, meaning: 'The configuration can not be used.' },
  unavailable: { httpStatus: 503, meaning: 'The port is taken, or another supervisor runs on these sessions.' },
} as const satisfies Record<string, { httpStatus: number; meaning: string }>

export type ErrorCode = keyof typeof ERRORS

/** An error meant to be shown. `message` is for a person; `details` are fields for a log, without secrets. */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly details: Record<string, unknown>

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: Record<string, unknown> } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.details = options.details ?? {}
  }

  get httpStatus(): number {
    return ERRORS[this.code].httpStatus
  }
}

/** The message of whatever was thrown: libraries throw numbers and strings too. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The errno name (`ENOSPC`) of a failed system call; undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined
}
