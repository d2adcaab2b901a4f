/**
 * Every way a call on the simulator can be refused, with the HTTP status of the control interface.
 * A refusal is about the caller's request; what happens to a client on the wire is an event, not an error.
 */
export const ERROR_STATUS = {
  /** An argument has the wrong type, form or range. */
  bad_request: 400,
  /** No such endpoint. */
  not_found: 404,
  /** The endpoint exists, the method is another. */
  method_not_allowed: 405,
  /** The QR text carries a ref that no open connection offers: expired, used, or of another simulator. */
  unknown_qr: 404,
  /** No open connection asked for a pairing code for this number. */
  no_pairing_request: 404,
  /** The pairing code does not open what the client sent; the request stays open for another try. */
  wrong_pairing_code: 403,
  /** The client answered a pairing step wrongly, or went away in the middle of it. */
  pairing_failed: 409,
  /** The phone has no linked device. */
  not_linked: 404,
  /** No message with this id is known. */
  unknown_message: 404,
  /** Nothing matched within the time given. */
  wait_timeout: 408,
  /** The port, the host or the state file can't be used. */
  cannot_start: 500,
  /** The state file could not be written; what happened since the last write is lost with the process. */
  state_not_saved: 500,
  /** The simulator was closed while, or before, this was asked. */
  closed: 409,
} as const

export type ErrorCode = keyof typeof ERROR_STATUS

/** A refusal; `message` names the value seen and what to do, `code` is one of `ERROR_STATUS`. */
export class SimulatorError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SimulatorError'
    this.code = code
  }
}
