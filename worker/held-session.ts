import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Clock } from '../shared/clock.ts'
import { LATE, withDeadline } from '../shared/deadline.ts'
import type { FromWorker, StartMessage } from '../shared/ipc.ts'
import type { Log } from '../shared/log.ts'
import { SessionError } from '../shared/session/session-error.ts'
import { nodeFs, type SessionFs } from '../shared/session/session-fs.ts'
import { lockSession, type SessionLock } from '../shared/session/session-lock.ts'
import { setAside } from '../shared/session/set-aside.ts'
import type { Reason } from '../shared/states.ts'
import { Inbox } from './core/inbox.ts'
import { MessageStream } from './message-stream.ts'
import { recoverSession } from './session/recover.ts'
import { holdsSession, inspectDir } from './session/session-dir.ts'
import { openSession, type Session } from './session/session.ts'

/**
 * The account's place on the disk: the lock of its directory, the session in it, the stream of its messages. Nothing is
 * opened without the lock, and the lock is given back last.
 */
export interface HeldSessionOptions {
  start: Pick<StartMessage, 'sessionsPath' | 'accountId' | 'recover' | 'backup'>
  clock: Clock
  log: Log
  fs?: SessionFs
  send: (message: FromWorker) => Promise<void>
  /** A session is in place, the first or one after another was set aside. */
  onOpened: () => void
  /** After each durable record, where the supervisor keeps backups. */
  onCommit: (revision: number, creds: boolean) => void
  /** A message of somebody else is durable. */
  onMessage: () => void
  /** A read or write failed: nothing is acknowledged from here on. Called within the turn in which it failed. */
  onFailed: (error: SessionError) => void
}

/** A supervisor that died leaves its workers some seconds to flush; the next supervisor's workers wait for them. */
const LOCK_WAIT_MS = 10_000
/** Reading the largest session takes a fraction of a second; a disk that takes this long hangs. */
const OPEN_DEADLINE_MS = 60_000
/** Between two sockets; the queue holds a few records, and a sync takes some milliseconds. */
const FLUSH_DEADLINE_MS = 30_000
/** For the supervisor to take the messages of a session that goes: what it has not got by then stays in there. */
const DRAIN_DEADLINE_MS = 3000

export class HeldSession {
  readonly #options: HeldSessionOptions
  readonly #dir: string
  readonly #abort = new AbortController()
  #lock: SessionLock | undefined
  #session: Session | undefined
  #messages: MessageStream | undefined

  constructor(options: HeldSessionOptions) {
    this.#options = options
    this.#dir = join(options.start.sessionsPath, options.start.accountId)
  }

  get session(): Session | undefined {
    return this.#session
  }

  get messages(): MessageStream | undefined {
    return this.#messages
  }

  /** Takes the lock and opens the session. Rejects with SessionError; resolves at once when `abandon` was called. */
  async take(): Promise<void> {
    this.#lock = await this.#takeLock()
    if (this.#abort.signal.aborted) return
    await this.#answered(this.#recover().then(() => this.#open()))
  }

  /** Everything that was written is durable. Rejects with storage_failed where the disk hangs. */
  async flush(): Promise<void> {
    const flushed = this.#session?.flush() ?? Promise.resolve()
    if ((await withDeadline(flushed, FLUSH_DEADLINE_MS, this.#options.clock)) === LATE) {
      throw new SessionError('storage_failed', `The disk did not take a write in ${FLUSH_DEADLINE_MS / 1000} s.`)
    }
  }

  /** The session goes to where set-aside ones are, and a new one begins in its place. */
  async setAside(reason: Reason): Promise<void> {
    const drained = this.#messages?.drained() ?? Promise.resolve()
    await withDeadline(drained, DRAIN_DEADLINE_MS, this.#options.clock)
    await this.#answered(this.#replace(reason))
  }

  async #replace(reason: Reason): Promise<void> {
    const { start, clock, log } = this.#options
    const { sessionsPath, accountId } = start
    const session = this.#session
    this.#session = undefined
    await session?.close()
    const path = await setAside({ sessionsPath, accountId, reason, nowMs: clock.nowMs() })
    log.warn({ event: 'session.set_aside', reason, path }, 'Session')
    // The lock went with the directory. The new one is locked before the old is given back: nobody gets in between.
    const old = this.#lock
    this.#lock = await this.#takeLock()
    await old?.release()
    await this.#open()
  }

  /** Whoever waits for the lock waits no more. */
  abandon(): void {
    this.#abort.abort()
  }

  /** Flushes and closes the session. Rejects with what kept it from being whole on the disk; `release` follows. */
  async close(): Promise<void> {
    const session = this.#session
    await session?.close()
    // The log itself closes without a word of what failed before.
    const failure = await Promise.race([session?.failed, Promise.resolve(undefined)])
    if (failure !== undefined) throw failure
  }

  async release(): Promise<void> {
    await this.#lock?.release()
  }

  /** Rejects with storage_failed where the disk hangs. */
  async #answered(work: Promise<void>): Promise<void> {
    if ((await withDeadline(work, OPEN_DEADLINE_MS, this.#options.clock)) === LATE) {
      throw new SessionError('storage_failed', `The disk did not answer in ${OPEN_DEADLINE_MS / 1000} s.`)
    }
  }

  #takeLock(): Promise<SessionLock> {
    return lockSession({ dir: this.#dir, waitMs: LOCK_WAIT_MS, signal: this.#abort.signal })
  }

  /**
   * At the operator's word alone, under the lock and before anything is opened. But where nothing of a session is there,
   * a backup that the supervisor has put into its place needs no word.
   */
  async #recover(): Promise<void> {
    const { start, clock, log, fs = nodeFs } = this.#options
    const { sessionsPath, accountId } = start
    const found = await inspectDir(fs, this.#dir)
    const waits = found.restore !== undefined && !holdsSession(found)
    const from = start.recover ?? (waits ? 'backup' : null)
    if (from === null) return
    const done = await recoverSession({ sessionsPath, accountId, from, nowMs: clock.nowMs(), fs })
    if (done === undefined) return
    log.warn({ event: 'session.recovered', ...done.recovery, path: done.asidePath }, 'Session')
  }

  async #open(): Promise<void> {
    const { start, log, clock, send, fs = nodeFs, onOpened, onCommit, onMessage, onFailed } = this.#options
    const session = await openSession({
      dir: this.#dir,
      fs,
      clock,
      log: (event, fields) => log.info({ event, ...fields }, 'Session'),
      ...(start.backup ? { onCommit } : {}),
    })
    this.#session = session
    onOpened()
    void session.failed.then((error) => {
      if (this.#session === session) onFailed(error)
    })
    // Proves that the disk takes writes before WhatsApp is told that this device is there to receive.
    await session.proveWritable()
    const inbox = new Inbox(randomBytes(8).toString('hex'), session.inbox)
    this.#messages = new MessageStream({ inbox, nowMs: () => clock.nowMs(), onMessage, send })
    this.#messages.pump()
  }
}
