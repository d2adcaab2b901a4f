/**
 * Keeps one kind of line from drowning the others: so many of a kind are printed within a minute, the rest is counted,
 * and the next one that is printed says how many were not. A loop that fails a thousand times a second fills no disk,
 * and a journal that limits its rate drops nothing else for it.
 */
export interface FloodLimits {
  readonly linesPerWindow: number
  readonly windowMs: number
}

/** A worker prints some ten lines at a start and two at a reconnect: a minute with 100 of one kind is a loop. */
export const FLOOD_LIMITS: FloodLimits = { linesPerWindow: 100, windowMs: 60_000 }

/** Kinds that are told apart: events, times accounts in the supervisor. Old ones make room. */
const MOST_KINDS = 5000

interface Seen {
  sinceMs: number
  lines: number
  suppressed: number
}

export class FloodGuard {
  readonly #limits: FloodLimits
  readonly #nowMs: () => number
  readonly #seen = new Map<string, Seen>()

  /** @param nowMs monotonic */
  constructor(nowMs: () => number, limits: FloodLimits = FLOOD_LIMITS) {
    this.#limits = limits
    this.#nowMs = nowMs
  }

  /**
   * One more line of this kind.
   * @returns undefined where it shall not be printed, else how many were not since the last one that was
   */
  admit(kind: string): number | undefined {
    const nowMs = this.#nowMs()
    const seen = this.#seen.get(kind)
    if (seen === undefined || nowMs - seen.sinceMs >= this.#limits.windowMs) {
      if (seen === undefined) this.#makeRoom(nowMs)
      this.#seen.set(kind, { sinceMs: nowMs, lines: 1, suppressed: 0 })
      return seen?.suppressed ?? 0
    }
    if (seen.lines >= this.#limits.linesPerWindow) {
      seen.suppressed++
      return undefined
    }
    seen.lines++
    return 0
  }

  #makeRoom(nowMs: number): void {
    if (this.#seen.size < MOST_KINDS) return
    for (const [kind, { sinceMs }] of this.#seen) {
      if (nowMs - sinceMs >= this.#limits.windowMs) this.#seen.delete(kind)
    }
    // Still full: the counts of one kind are worth less than a bound on all.
    const first = this.#seen.keys().next()
    if (this.#seen.size >= MOST_KINDS && first.done !== true) this.#seen.delete(first.value)
  }
}
