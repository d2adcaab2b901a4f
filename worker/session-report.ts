import type { Clock, Timer } from '../shared/clock.ts'
import { LATE, withDeadline } from '../shared/deadline.ts'
import type { FromWorker } from '../shared/ipc.ts'
import type { Session } from './session/session.ts'

/** A busy account commits some ten records a second; the supervisor wants to know that there is something to save. */
const INTERVAL_MS = 250

/** Encoding the largest session takes a fraction of a second; what takes this long is a disk that hangs. */
const SNAPSHOT_DEADLINE_MS = 5000

export interface SessionReportOptions {
  clock: Clock
  /** To the supervisor; never rejects. */
  send: (message: Extract<FromWorker, { type: 'session_changed' | 'snapshot' }>) => Promise<void>
  /** Of the session as it is now. One that no phone is linked to is not worth keeping, and nothing is said of it. */
  isLinked: () => boolean
}

/**
 * What the supervisor's backups hear of the session: that it has changed (at once, then at most every INTERVAL_MS), and
 * the session itself when they ask. What a snapshot holds is not told after it, so whatever is told after a snapshot is
 * something that it lacks.
 */
export class SessionReport {
  readonly #options: SessionReportOptions
  #timer: Timer | undefined
  #waiting: { revision: number; creds: boolean } | undefined
  /** Whether the session was linked when it was last looked at; undefined before the first one is open. */
  #wasLinked: boolean | undefined

  constructor(options: SessionReportOptions) {
    this.#options = options
  }

  /** Another session is in place: whether it is linked is what a pairing is known by. */
  opened(): void {
    this.#waiting = undefined
    this.#wasLinked = this.#options.isLinked()
  }

  committed(revision: number, creds: boolean): void {
    this.#waiting = { revision, creds: creds || this.#waiting?.creds === true }
    if (this.#timer === undefined) this.#tell()
  }

  /**
   * Answers a request for the session, with null where there is nothing to give. Never rejects.
   * @param savedRevision what the asker has already; null: it wants the session in any case
   */
  async answer(requestId: number, session: Session | undefined, savedRevision: number | null = null): Promise<void> {
    const { clock, send, isLinked } = this.#options
    // Where none is open (yet, or any more), whether one is linked is not known: it could not be had, no more.
    const linked = session === undefined || isLinked()
    const asked = session !== undefined && linked && session.revision !== savedRevision
    // A log that failed says so through session.failed, which ends this process.
    const taken = asked
      ? await withDeadline(session.snapshot(), SNAPSHOT_DEADLINE_MS, clock).catch((): typeof LATE => LATE)
      : LATE
    if (taken === LATE) {
      return send({ type: 'snapshot', requestId, revision: session?.revision ?? 0, linked, data: null })
    }
    const { bytes, revision } = taken
    if (this.#waiting !== undefined && this.#waiting.revision <= revision) this.#waiting = undefined
    return send({ type: 'snapshot', requestId, revision, linked, data: bytes.toString('base64') })
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #tell(): void {
    this.#timer = undefined
    const { clock, send, isLinked } = this.#options
    const waiting = this.#waiting
    if (waiting === undefined) return
    if (this.#wasLinked === undefined || !isLinked()) {
      this.#waiting = undefined
      return
    }
    const paired = !this.#wasLinked
    // A pairing is in the session when the creds that say so are.
    if (paired && !waiting.creds) return
    this.#waiting = undefined
    this.#wasLinked = true
    this.#timer = clock.setTimer(INTERVAL_MS, () => this.#tell())
    void send({ type: 'session_changed', ...waiting, paired })
  }
}
