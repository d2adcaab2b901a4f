import { OOM_SCORES, setOomScore } from '../shared/oom-score.ts'

/** So long connected, an account has what it needs: it has logged in, and its first collection is over. */
const SETTLED_AFTER_MS = 60_000

/** Takes back, once, what the supervisor set at the fork. That needs no leave. */
export class OomScore {
  #isSettled = false

  /** @param connectedForMs of the connection that there is now, 0 where there is none */
  look(connectedForMs: number): void {
    if (this.#isSettled || connectedForMs < SETTLED_AFTER_MS) return
    this.#isSettled = true
    setOomScore('self', OOM_SCORES.settled)
  }
}
