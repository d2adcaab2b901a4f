import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { RecoverFrom, Recovery } from './session/recovery.ts'
import { REASON_NAMES, type Reason } from './states.ts'

/**
 * What supervisor and worker say to each other, as JSON over the channel of fork(). Every message of a worker is about
 * the process that sent it; the supervisor adds the generation, so that a late message of an old process is known as one.
 */

const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])

const StartMessage = Type.Object({
  type: Type.Literal('start'),
  accountId: Type.String(),
  /** E.164; null when only a session directory is known of the account. */
  phone: Nullable(Type.String()),
  sessionsPath: Type.String(),
  /** The operator asked for a QR code: without it an account that was never linked stays quiet. */
  pairing: Type.Boolean(),
  /** The operator's word to recover a damaged session before it is opened; a whole one is left as it is. */
  recover: Nullable(RecoverFrom),
  logLevel: Type.String(),
  socket: Type.Object({
    url: Nullable(Type.String()),
    noiseRootKey: Nullable(Type.String()),
    version: Nullable(Type.Tuple([Type.Integer(), Type.Integer(), Type.Integer()])),
  }),
  policy: Type.Object({
    maxReconnectAttempts: Type.Integer(),
    refusalPeriodMs: Type.Integer(),
    healthCheckIntervalMs: Type.Integer(),
    staleConnectionThresholdMs: Type.Integer(),
  }),
  heartbeatIntervalMs: Type.Integer(),
})

/** Supervisor to worker. */
export const ToWorker = Type.Union([
  StartMessage,
  /**
   * The connect gate's turn: open the socket now. `shared`: connects of several accounts fail, so that a refusal is no
   * verdict on this one.
   */
  Type.Object({ type: Type.Literal('permit'), shared: Type.Boolean() }),
  /** The way to WhatsApp is clear again: whoever waits for its next try asks for a permit now. */
  Type.Object({ type: Type.Literal('retry') }),
  /** The operator wants a QR code. Nothing happens where the account is linked. */
  Type.Object({ type: Type.Literal('pair') }),
  /** The operator wants a code to type into the phone instead of scanning; answered by `pairing_code`. */
  Type.Object({ type: Type.Literal('request_pairing_code'), requestId: Type.Integer() }),
  /** Unlink this device at WhatsApp, and set the session aside. */
  Type.Object({ type: Type.Literal('log_out') }),
  /** Flush, close the socket, say `stopped`, exit 0. */
  Type.Object({ type: Type.Literal('stop') }),
])
export type ToWorker = Static<typeof ToWorker>
export type StartMessage = Static<typeof StartMessage>

/** Worker to supervisor. */
export const FromWorker = Type.Union([
  /** The modules are loaded: the costly part of a start is over. */
  Type.Object({ type: Type.Literal('ready') }),
  Type.Object({ type: Type.Literal('heartbeat'), rssBytes: Type.Integer(), loopDelayMs: Type.Number() }),
  /** Asks the connect gate for leave to open a socket. */
  Type.Object({ type: Type.Literal('permit_request') }),
  /** What came of the permit: the gate opens and closes by it. */
  Type.Object({
    type: Type.Literal('permit_result'),
    result: Type.Union([
      Type.Literal('opened'),
      Type.Literal('answered'),
      Type.Literal('failed'),
      Type.Literal('unused'),
    ]),
  }),
  Type.Object({
    type: Type.Literal('connection'),
    status: Type.Union([
      Type.Literal('connecting'),
      Type.Literal('connected'),
      Type.Literal('needs_qr'),
      Type.Literal('disconnected'),
    ]),
    reason: Nullable(Type.Unsafe<Reason>(Type.Enum(REASON_NAMES))),
    code: Nullable(Type.Integer()),
    attempt: Type.Integer(),
    nextTryAtMs: Nullable(Type.Number()),
  }),
  /** The text of a QR code, a secret while it lives; null when there is none any more. */
  Type.Object({ type: Type.Literal('qr'), text: Nullable(Type.String()), expiresAtMs: Nullable(Type.Number()) }),
  /** The code that was asked for, a secret while it lives; null when there can be none now. */
  Type.Object({ type: Type.Literal('pairing_code'), requestId: Type.Integer(), code: Nullable(Type.String()) }),
  /** Whose WhatsApp this is, as the session or the login says. */
  Type.Object({ type: Type.Literal('identity'), phone: Type.String() }),
  /** The session went through a recovery, now or in an earlier process: what it cost. */
  Type.Object({ type: Type.Literal('recovered'), recovery: Recovery }),
  Type.Object({ type: Type.Literal('messages'), count: Type.Integer(), atMs: Type.Number() }),
  /** Why the process is about to end by itself, in words for the operator. */
  Type.Object({
    type: Type.Literal('fault'),
    reason: Type.Unsafe<Reason>(Type.Enum(REASON_NAMES)),
    message: Type.String(),
  }),
  /** Everything is on the disk; the process exits next. */
  Type.Object({ type: Type.Literal('stopped') }),
])
export type FromWorker = Static<typeof FromWorker>

const toWorker = Compile(ToWorker)
const fromWorker = Compile(FromWorker)

/** A message that came over IPC, or undefined when it is none of ours: another version, a bug. */
export function parseToWorker(message: unknown): ToWorker | undefined {
  return toWorker.Check(message) ? message : undefined
}

/** As parseToWorker, the other way. */
export function parseFromWorker(message: unknown): FromWorker | undefined {
  return fromWorker.Check(message) ? message : undefined
}
