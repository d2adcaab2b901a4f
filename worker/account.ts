import type { Clock, Timer } from '../shared/clock.ts'
import { withDeadline } from '../shared/deadline.ts'
import { messageOf } from '../shared/errors.ts'
import { EXIT } from '../shared/exit-codes.ts'
import type { Activity, ClientVersion, Counts, FromWorker, StartMessage, ToWorker } from '../shared/ipc.ts'
import type { Log } from '../shared/log.ts'
import { isSamePhone, phoneOfJid } from '../shared/phone.ts'
import type { ConnectionReport } from '../shared/states.ts'
import { ActivityRecord } from './activity.ts'
import type { CloseCause } from './core/disconnect-policy.ts'
import { reportOf } from './core/connection-report.ts'
import { stepConnection } from './core/connection.ts'
import {
  deadlineOf,
  NEW_CONNECTION,
  type Connection,
  type ConnectionEffect,
  type ConnectionEvent,
} from './core/connection-state.ts'
import type { SessionFs } from '../shared/session/session-fs.ts'
import type { Session } from './session/session.ts'
import { Ending } from './ending.ts'
import { endOf, holderOf, nameOf } from './fault.ts'
import { HeldSession } from './held-session.ts'
import { createBaileysLog } from './socket/baileys-log.ts'
import { SessionReport } from './session-report.ts'
import { versionToAnnounce } from './socket/client-version.ts'
import { isStreamCorruption, openSocket, trustNoiseRoot, type OpenSocket, type SocketEvent } from './socket/socket.ts'

/**
 * The shell around core/connection.ts: turns socket, session and supervisor events into steps of the core, and carries
 * its effects out, one after another. Owns the one socket and, through HeldSession, the session; ends the process by
 * `exit` alone, and only after the session is closed.
 */
export interface AccountOptions {
  start: StartMessage
  clock: Clock
  log: Log
  random: () => number
  /** Another file system than the host's: a disk that fails, in tests. */
  fs?: SessionFs
  /** To the supervisor; resolves when it is handed over, never rejects. */
  send: (message: FromWorker) => Promise<void>
  /** Ends the process. */
  exit: (code: number) => void
}

/** What is under way when the end comes gets this long: less than the supervisor's patience. */
const UNDER_WAY_DEADLINE_MS = 3000

type LastSnapshot = Extract<ToWorker, { type: 'stop' }>['lastSnapshot']

export class Account {
  readonly #options: AccountOptions
  readonly #changes: SessionReport
  #connection: Connection = NEW_CONNECTION
  readonly #held: HeldSession
  readonly #activity: ActivityRecord
  #socket: OpenSocket | undefined
  #timer: Timer | undefined
  #lastFrameMs = 0
  #reported = ''
  #version: ClientVersion
  /** Effects run one at a time, in order: an old socket is down before a new one opens. */
  #effects: Promise<void> = Promise.resolve()
  #begun: Promise<void> = Promise.resolve()
  readonly #ending: Ending
  #lastSnapshot: LastSnapshot = null

  constructor(options: AccountOptions) {
    this.#options = options
    this.#version = versionToAnnounce(options.start.socket)
    this.#activity = new ActivityRecord(options.clock)
    this.#changes = new SessionReport({ ...options, isLinked: () => this.#isLinked() })
    this.#held = new HeldSession({
      ...options,
      onOpened: () => this.#changes.opened(),
      onCommit: (revision, creds) => this.#changes.committed(revision, creds),
      onMessage: () => this.#activity.saw('lastMessageInAtMs'),
      onFailed: (error) => {
        // Before Baileys learns that its write was refused: it would refuse the message it was working on (a nack), and
        // WhatsApp forgets that one. The promise settles before the writes that failed with it.
        this.#socket?.cut()
        void this.#fail(error)
      },
    })
    this.#ending = new Ending({ ...options, close: (code) => this.#close(code) })
  }

  get activity(): Activity {
    return this.#activity.times
  }

  get counts(): Counts {
    return this.#activity.counts
  }

  /** Takes the session directory, opens the session, and begins to connect. Ends the process if it can't. */
  begin(): Promise<void> {
    this.#begun = this.#begin()
    return this.#begun
  }

  async #begin(): Promise<void> {
    const { start } = this.#options
    if (start.socket.noiseRootKey !== null) trustNoiseRoot(start.socket.noiseRootKey)
    try {
      await this.#held.take()
    } catch (error) {
      // Not awaited: the end waits for this very beginning.
      void this.#fail(error)
      return
    }
    if (this.#ending.hasBegun) return
    const { session } = this.#held
    const phone = phoneOfJid(session?.authState.creds.me?.id ?? '')
    if (phone !== undefined) void this.#options.send({ type: 'identity', phone })
    const recovery = session?.recovery
    if (recovery !== undefined) void this.#options.send({ type: 'recovered', recovery })
    this.#step({ type: 'begin', linked: this.#isLinked(), pairing: start.pairing })
  }

  /** The supervisor's words. */
  handle(message: Exclude<ToWorker, { type: 'start' | 'stop' }>): void {
    switch (message.type) {
      case 'pair':
        return this.#step({ type: 'pair', linked: this.#isLinked() })
      case 'request_pairing_code':
        return void this.#answerPairingCode(message.requestId)
      case 'use_version':
        this.#version = message.version
        return this.#step({ type: 'version_changed' })
      case 'messages_received':
        return this.#held.messages?.taken(message.stream, message.sequence)
      case 'snapshot_request':
        return void this.#changes.answer(message.requestId, this.#held.session)
      case 'permit':
      case 'retry':
      case 'number_taken':
      case 'set_aside_answer':
      case 'abandon':
      case 'log_out':
      case 'retire':
        return this.#step(message)
      default:
        return message satisfies never
    }
  }

  /**
   * Closes the socket, puts everything on the disk, says so, and ends the process. Safe to call twice.
   * @param lastSnapshot the supervisor wants the session as it is at last
   */
  async stop(lastSnapshot: LastSnapshot = null): Promise<void> {
    this.#lastSnapshot ??= lastSnapshot
    await this.#ending.begin(EXIT.ok.code)
  }

  /** A rejection that nobody handled: Baileys' way of saying that a frame could not be read. */
  handleUnhandled(reason: unknown): void {
    if (isStreamCorruption(reason)) {
      this.#options.log.warn({ event: 'stream.corrupted' }, 'A frame could not be decrypted')
      this.#closed(this.#connection.socket, { from: 'protocol', code: null })
      return
    }
    // A query that was in flight when its socket closed rejects with a number (1006) or a Boom: nothing was lost by it.
    this.#options.log.warn({ event: 'rejection.unhandled', cause: nameOf(reason) }, 'A rejection was not handled')
  }

  /** Here and below: see ActivityRecord. */
  get quietForMs(): number {
    return this.#activity.quietForMs
  }

  get idleForMs(): number {
    return this.#activity.idleForMs
  }

  /** Of the connection that is open now; 0 while none is. */
  get connectedForMs(): number {
    const { state } = this.#connection
    return state.name === 'open' ? Math.max(0, this.#options.clock.monotonicMs() - state.sinceMs) : 0
  }

  /** Null where a code can't be had: no QR code is offered, the phone is not known, WhatsApp says no. */
  async #answerPairingCode(requestId: number): Promise<void> {
    const { start, send, log } = this.#options
    let code: string | null = null
    if (this.#connection.state.name === 'pairing' && start.phone !== null) {
      code = (await this.#socket?.requestPairingCode(start.phone).catch(() => undefined)) ?? null
    }
    log.info({ event: code === null ? 'pairing_code.refused' : 'pairing_code.issued' }, 'Pairing')
    await send({ type: 'pairing_code', requestId, code })
  }

  #isWrongPhone(phone: string | undefined): boolean {
    const { start } = this.#options
    return start.phone !== null && phone !== undefined && !isSamePhone(phone, start.phone)
  }

  #isLinked(): boolean {
    const creds = this.#held.session?.authState.creds
    return creds?.me !== undefined && creds.account !== undefined
  }

  #step(event: ConnectionEvent): void {
    if (this.#ending.hasBegun) return
    const { clock, start } = this.#options
    const [next, effects] = stepConnection(this.#connection, event, clock.monotonicMs(), start.policy)
    this.#connection = next
    this.#report()
    this.#armTimer()
    for (const effect of effects) {
      this.#effects = this.#effects.then(() => this.#carryOut(effect)).catch((error: unknown) => void this.#fail(error))
    }
  }

  #report(): void {
    const { clock, log, send } = this.#options
    const report: ConnectionReport = reportOf(this.#connection, clock.monotonicMs(), clock.nowMs())
    // The next try's time is worked out anew with each report: some ms of difference are no news, and neither is the
    // code behind a reason that stays.
    const key = JSON.stringify([report.status, report.reason, report.attempt, report.nextTryAtMs === null])
    if (key === this.#reported) return
    this.#reported = key
    log[report.status === 'disconnected' ? 'warn' : 'info'](
      { event: `connection.${report.status}`, ...report },
      'Connection',
    )
    void send({ type: 'connection', ...report })
  }

  #armTimer(): void {
    const { clock, random } = this.#options
    this.#timer?.cancel()
    const dueMs = deadlineOf(this.#connection)
    if (dueMs === undefined) return
    this.#timer = clock.setTimer(dueMs - clock.monotonicMs(), () => {
      const before = this.#connection
      const event = {
        type: 'timer',
        lastFrameMs: this.#lastFrameMs,
        unheardSinceMs: this.#activity.hearing.unheardSinceMs,
        lastHeardMs: this.#activity.hearing.lastHeardMs,
        linked: this.#isLinked(),
        random: random(),
      } as const
      this.#step(event)
      // A timer may fire a fraction of a millisecond early; the core then changes nothing and must be asked again.
      if (before === this.#connection && !this.#ending.hasBegun) this.#armTimer()
    })
  }

  async #carryOut(effect: ConnectionEffect): Promise<void> {
    const { send, clock } = this.#options
    switch (effect.type) {
      case 'request_permit':
        return send({ type: 'permit_request', firstLogin: effect.firstLogin })
      case 'permit_result':
        return send({ type: 'permit_result', result: effect.result })
      case 'open_socket':
        return this.#openSocket(effect.socket)
      case 'tear_down':
        await this.#socket?.tearDown()
        this.#socket = undefined
        return
      case 'probe':
        this.#socket?.probe()
        return
      case 'log_out':
        return this.#socket?.logOut()
      case 'show_qr':
        return send({
          type: 'qr',
          text: effect.text,
          expiresAtMs: effect.text === null ? null : clock.nowMs() + effect.lifetimeMs,
        })
      case 'ask_set_aside':
        return send({ type: 'set_aside_request' })
      case 'set_aside':
        return this.#held.setAside(effect.reason)
      case 'renew_process':
        // Not awaited: the end waits for the effects before it, this one included.
        void this.#ending.begin(EXIT.renew.code)
        return
      default:
        return effect satisfies never
    }
  }

  async #openSocket(number: number): Promise<void> {
    const { start, clock, log } = this.#options
    const { session, messages: entry } = this.#held
    if (session === undefined || entry === undefined || this.#ending.hasBegun) return
    // What the last socket left in the queue (the creds of a pairing, say) is durable before the next one logs in.
    // One whose disk hangs is of no use: the next process finds out whether the disk takes writes.
    await this.#held.flush()
    if (this.#ending.hasBegun) return
    this.#lastFrameMs = clock.monotonicMs()
    this.#socket = openSocket({
      auth: session.authState,
      url: start.socket.url,
      version: this.#version,
      log: createBaileysLog(log, clock),
      clock,
      entry,
      activity: this.#activity,
      onEvent: (event) => this.#onSocketEvent(number, session, event),
    })
  }

  #onSocketEvent(socket: number, session: Session, event: SocketEvent): void {
    const { clock, send } = this.#options
    switch (event.type) {
      case 'frame':
        this.#lastFrameMs = clock.monotonicMs()
        return
      case 'creds_changed':
        // A failed save shows in session.failed, which ends this process.
        session.saveCreds().catch(() => undefined)
        return
      case 'qr':
      case 'new_login':
      case 'passkey_required':
        return this.#step({ ...event, socket })
      case 'version_verdict':
        return void send(event)
      case 'open':
        if (event.phone !== undefined) void send({ type: 'identity', phone: event.phone })
        return this.#step({ type: 'open', socket, wrongPhone: this.#isWrongPhone(event.phone) })
      case 'closed':
        return this.#closed(socket, event.cause)
      default:
        return event satisfies never
    }
  }

  #closed(socket: number, cause: CloseCause): void {
    this.#step({ type: 'closed', socket, cause, linked: this.#isLinked(), random: this.#options.random() })
  }

  /** What can't be gone on from in this process: said to the supervisor, then the process ends with the code that fits. */
  async #fail(error: unknown): Promise<void> {
    const { log, send } = this.#options
    const [code, reason] = endOf(error)
    // No step from here on: a report after the fault would take it back.
    return this.#ending.begin(code, () => {
      log.error({ event: 'account.failed', reason, cause: messageOf(error) }, 'The account can not go on')
      return send({ type: 'fault', reason, message: messageOf(error), holderPid: holderOf(error) })
    })
  }

  async #close(code: number): Promise<number> {
    const { log, send, clock } = this.#options
    this.#timer?.cancel()
    this.#held.abandon()
    // No step follows any more, so this is the last of the effects: a session that is being set aside is left whole.
    await withDeadline(Promise.all([this.#begun, this.#effects]), UNDER_WAY_DEADLINE_MS, clock)
    await this.#socket?.tearDown()
    // What the socket changed in its last second, when nobody listened to it any more. A failure shows in the close.
    this.#held.session?.saveCreds().catch(() => undefined)
    this.#changes.stop()
    // Takes its turn in the session's queue before the close; the way to the supervisor holds up neither.
    const last = this.#lastSnapshot
    const given = last === null ? null : this.#changes.answer(last.requestId, this.#held.session, last.savedRevision)
    const isClosed = await this.#held.close().then(
      () => true,
      (error: unknown) => {
        log.error({ event: 'session.close_failed', cause: messageOf(error) }, 'The session was not closed cleanly')
        return false
      },
    )
    const finalCode = code === EXIT.ok.code && !isClosed ? EXIT.storageFailed.code : code
    await this.#held.release()
    await given
    // Also of one that was about to go on in a fresh process: the service may be stopping meanwhile, and asks who flushed.
    if (isClosed && (code === EXIT.ok.code || code === EXIT.renew.code)) await send({ type: 'stopped' })
    log.info({ event: 'account.stopped', code: finalCode }, 'Account')
    return finalCode
  }
}
