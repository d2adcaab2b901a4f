import type { Clock } from '../shared/clock.ts'
import type { Activity, Counts } from '../shared/ipc.ts'
import { Hearing } from './core/hearing.ts'

type Seen = 'lastFrameAtMs' | 'lastEventAtMs' | 'lastMessageInAtMs' | 'lastAckedOutAtMs'

const COUNTED: Partial<Record<Seen, keyof Counts>> = {
  lastMessageInAtMs: 'messagesIn',
  lastAckedOutAtMs: 'messagesOut',
}

/** What went over an account's connections since this process began, and what its socket now has not led to an event. */
export class ActivityRecord {
  readonly #clock: Clock
  readonly #times: Activity = {
    lastFrameAtMs: null,
    lastEventAtMs: null,
    lastMessageInAtMs: null,
    lastAckedOutAtMs: null,
  }
  /** Monotonic ms: a clock that is set must not make a busy account quiet, or a quiet one busy. */
  #lastMessageMs: number | undefined
  #lastEventMs: number
  readonly #counts: Counts = { messagesIn: 0, messagesOut: 0, decryptFailures: 0 }
  #hearing = new Hearing()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#lastEventMs = clock.monotonicMs()
  }

  /** Since the last message came; Infinity when none has. */
  get quietForMs(): number {
    return this.#lastMessageMs === undefined ? Infinity : this.#clock.monotonicMs() - this.#lastMessageMs
  }

  /** Since anything at all of the account happened, the begin of this process included; a frame alone is nothing. */
  get idleForMs(): number {
    return this.#clock.monotonicMs() - this.#lastEventMs
  }

  get times(): Activity {
    return { ...this.#times }
  }

  get counts(): Counts {
    return { ...this.#counts }
  }

  get hearing(): Hearing {
    return this.#hearing
  }

  saw(what: Seen): void {
    this.#times[what] = this.#clock.nowMs()
    if (what !== 'lastFrameAtMs') this.#lastEventMs = this.#clock.monotonicMs()
    if (what === 'lastMessageInAtMs') this.#lastMessageMs = this.#lastEventMs
    const counted = COUNTED[what]
    if (counted !== undefined) this.#counts[counted]++
  }

  /** A ciphertext could not be read. */
  couldNotRead(): void {
    this.#counts.decryptFailures++
  }

  /** A new socket has heard nothing yet, and owes nothing. */
  newSocket(): Hearing {
    this.#hearing = new Hearing()
    return this.#hearing
  }
}
