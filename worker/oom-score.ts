import { OOM_SCORES, setOomScore } from '../shared/oom-score.ts'

/** So long connected, an account has what it needs: it has logged in, and its first collection is over. */
const SETTLED_AFTER_MS = 60_000

/** Takes back, in two steps, what the supervisor set at the fork. That needs no leave. */
export class OomScore {
  #score = Infinity

  /** The account has logged in. */
  connected(): void {
    this.#lower(OOM_SCORES.connected)
  }

  /** @param connectedForMs of the connection that there is now, 0 where there is none */
  look(connectedForMs: number): void {
    if (connectedForMs >= SETTLED_AFTER_MS) this.#lower(OOM_SCORES.settled)
  }

  #lower(score: number): void {
    if (score >= this.#score) return
    this.#score = score
    setOomScore('self', score)
  }
}
