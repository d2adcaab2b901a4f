import type { Clock } from '../shared/clock.ts'
import type { Activity } from '../shared/ipc.ts'
import { Hearing } from './core/hearing.ts'

type Seen = 'lastFrameAtMs' | 'lastEventAtMs' | 'lastMessageInAtMs' | 'lastAckedOutAtMs'

/** What went over an account's connections since this process began, and what its socket now has not led to an event. */
export class ActivityRecord {
  readonly #clock: Clock
  readonly #times: Activity = {
    lastFrameAtMs: null,
    lastEventAtMs: null,
    lastMessageInAtMs: null,
    lastAckedOutAtMs: null,
  }
  #hearing = new Hearing()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get times(): Activity {
    return { ...this.#times }
  }

  get hearing(): Hearing {
    return this.#hearing
  }

  saw(what: Seen): void {
    this.#times[what] = this.#clock.nowMs()
  }

  /** A new socket has heard nothing yet, and owes nothing. */
  newSocket(): Hearing {
    this.#hearing = new Hearing()
    return this.#hearing
  }
}
