import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { RecoverFrom, Recovery } from './session/recovery.ts'
import { REASON_NAMES, type Reason } from './states.ts'

/**
 * What supervisor and worker say to each other, as JSON over the channel of fork(). Every message of a worker is about
 * the process that sent it; the supervisor adds the generation, so that a late message of an old process is known as one.
 */

const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()])

/** WhatsApp Web's version: 2.3000.REVISION. */
const ClientVersion = Type.Tuple([Type.Integer(), Type.Integer(), Type.Integer()])
export type ClientVersion = Static<typeof ClientVersion>

/** Where a process's log goes: shared/log-target.ts. */
const LogTarget = Type.Union([
  /** Lines of JSON on stdout. */
  Type.Object({ kind: Type.Literal('json') }),
  /** Lines for a person on stdout. */
  Type.Object({ kind: Type.Literal('pretty'), colour: Type.Boolean() }),
  /** Entries with fields to journald, whose sockets are in this directory. stdout leads there as well. */
  Type.Object({ kind: Type.Literal('journal'), directory: Type.String() }),
])
export type LogTarget = Static<typeof LogTarget>

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
  logTarget: LogTarget,
  socket: Type.Object({
    url: Nullable(Type.String()),
    noiseRootKey: Nullable(Type.String()),
    /** The client version to announce; null: the newer of `knownGood` and Baileys' own. */
    version: Nullable(ClientVersion),
    /** The newest that WhatsApp is known to have taken. */
    knownGood: Nullable(ClientVersion),
  }),
  policy: Type.Object({
    maxReconnectAttempts: Type.Integer(),
    refusalPeriodMs: Type.Integer(),
    healthCheckIntervalMs: Type.Integer(),
    staleConnectionThresholdMs: Type.Integer(),
    renewAfterSockets: Type.Integer(),
  }),
  /** When the process goes on in a fresh one: worker/core/retirement.ts. */
  retirement: Type.Object({ memoryLimitBytes: Type.Integer(), minUptimeMs: Type.Integer() }),
  heartbeatIntervalMs: Type.Integer(),
  /** Whether the supervisor keeps backups: then it wants `session_changed`. */
  backup: Type.Boolean(),
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
  /** Others get through, and the socket that you are opening hangs from the time before: ask for another permit. */
  Type.Object({ type: Type.Literal('abandon') }),
  /** The operator wants a QR code. Nothing happens where the account is linked. */
  Type.Object({ type: Type.Literal('pair') }),
  /** The operator wants a code to type into the phone instead of scanning; answered by `pairing_code`. */
  Type.Object({ type: Type.Literal('request_pairing_code'), requestId: Type.Integer() }),
  /** Another account is the WhatsApp number that `identity` named. */
  Type.Object({ type: Type.Literal('number_taken') }),
  /** The answer to `set_aside_request`. */
  Type.Object({ type: Type.Literal('set_aside_answer'), allowed: Type.Boolean() }),
  /** The client version to announce from now on: the last one was refused. */
  Type.Object({ type: Type.Literal('use_version'), version: ClientVersion }),
  /** The answer to `retire_request`, where this is a good moment for it. */
  Type.Object({ type: Type.Literal('retire') }),
  /** Unlink this device at WhatsApp, and set the session aside. */
  Type.Object({ type: Type.Literal('log_out') }),
  /** The supervisor has the messages of this stream up to this number: the next batch may come. */
  Type.Object({ type: Type.Literal('messages_received'), stream: Type.String(), sequence: Type.Integer() }),
  /** The whole session as it is now, for a backup; answered by `snapshot`. */
  Type.Object({ type: Type.Literal('snapshot_request'), requestId: Type.Integer() }),
  /**
   * Close the socket, flush, say `stopped`, exit 0. With `lastSnapshot` the session goes as `snapshot` before that, unless
   * its revision is still `savedRevision`.
   */
  Type.Object({
    type: Type.Literal('stop'),
    lastSnapshot: Nullable(Type.Object({ requestId: Type.Integer(), savedRevision: Nullable(Type.Integer()) })),
  }),
])
export type ToWorker = Static<typeof ToWorker>
export type StartMessage = Static<typeof StartMessage>

/** When something last went over an account's connection, epoch ms; null when nothing has since the process began. */
const Activity = Type.Object({
  /** Anything at all came. */
  lastFrameAtMs: Nullable(Type.Number()),
  /** Baileys told of anything but the connection itself. */
  lastEventAtMs: Nullable(Type.Number()),
  /** A message of somebody else was read, and is durable in the inbox. */
  lastMessageInAtMs: Nullable(Type.Number()),
  /** WhatsApp acknowledged a message of this device. */
  lastAckedOutAtMs: Nullable(Type.Number()),
})
export type Activity = Static<typeof Activity>

/** What went over an account's connections since the process began. */
const Counts = Type.Object({
  /** Messages of others that were read, and are durable in the inbox. */
  messagesIn: Type.Integer(),
  /** Messages of this device that WhatsApp acknowledged. */
  messagesOut: Type.Integer(),
  /** Ciphertexts whose decryption ended badly. Most come again and are read then. */
  decryptFailures: Type.Integer(),
})
export type Counts = Static<typeof Counts>

/** One line of a worker's log, for who looks at the account. What a line must not hold, this must not either. */
const LogLine = Type.Object({
  atMs: Type.Number(),
  level: Type.Union([Type.Literal('info'), Type.Literal('warn'), Type.Literal('error'), Type.Literal('fatal')]),
  event: Nullable(Type.String()),
  message: Type.String(),
  fields: Type.Record(Type.String(), Type.Unknown()),
})
export type LogLine = Static<typeof LogLine>

/** Worker to supervisor. */
export const FromWorker = Type.Union([
  /** The process has grown or become slow, and would go on in a fresh one; said with each heartbeat until `retire` comes. */
  Type.Object({ type: Type.Literal('retire_request') }),
  /** The bundle runs, but not under its code cache: why, in words. */
  Type.Object({ type: Type.Literal('code_cache_unused'), cause: Type.String() }),
  /** The modules are loaded: the costly part of a start is over. `version`: Baileys' own client version. */
  Type.Object({ type: Type.Literal('ready'), version: ClientVersion }),
  Type.Object({
    type: Type.Literal('heartbeat'),
    rssBytes: Type.Integer(),
    loopDelayMs: Type.Number(),
    /** Of the whole process since it began. */
    cpuMs: Type.Number(),
    activity: Activity,
    counts: Counts,
  }),
  /** What was logged since the last such message; `dropped` lines had no room in it. */
  Type.Object({ type: Type.Literal('log'), lines: Type.Array(LogLine), dropped: Type.Integer() }),
  /** Asks the connect gate for leave to open a socket; `firstLogin`: for the login after a phone has scanned. */
  Type.Object({ type: Type.Literal('permit_request'), firstLogin: Type.Boolean() }),
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
  /** WhatsApp has refused the session for good: is it to be set aside? Answered by `set_aside_answer`. */
  Type.Object({ type: Type.Literal('set_aside_request') }),
  /** What WhatsApp says to a client version. */
  Type.Object({ type: Type.Literal('version_verdict'), version: ClientVersion, accepted: Type.Boolean() }),
  /**
   * Messages of others, durable in the session, oldest first; at least once each, with a number of its own within the
   * stream. The next batch follows `messages_received`. Epoch ms.
   */
  Type.Object({
    type: Type.Literal('messages'),
    stream: Type.String(),
    messages: Type.Array(Type.Object({ sequence: Type.Integer(), id: Type.String(), atMs: Type.Number() }), {
      minItems: 1,
    }),
  }),
  /**
   * Something of a linked session became durable; of several such records in a short time one message tells. `creds`: the
   * identity's own state is among it. `paired`: the session was linked in this process, and this is the first of it.
   */
  Type.Object({
    type: Type.Literal('session_changed'),
    revision: Type.Integer(),
    creds: Type.Boolean(),
    paired: Type.Boolean(),
  }),
  /**
   * What was asked for: one whole log file in base64, a secret; null where no phone is linked (`linked`: false of an open
   * session alone), where none is open or it could not be read, or where nothing has changed. What `session_changed` said before is in it.
   */
  Type.Object({
    type: Type.Literal('snapshot'),
    requestId: Type.Integer(),
    revision: Type.Integer(),
    linked: Type.Boolean(),
    data: Nullable(Type.String()),
  }),
  /** Why the process is about to end by itself, in words for the operator. */
  Type.Object({
    type: Type.Literal('fault'),
    reason: Type.Unsafe<Reason>(Type.Enum(REASON_NAMES)),
    message: Type.String(),
    /** Who holds the session's directory, where that is the fault. */
    holderPid: Nullable(Type.Integer()),
  }),
  /** Everything is on the disk; the process exits next, for good or to make room for a fresh one. */
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
