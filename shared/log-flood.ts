/**
 * Keeps one kind of line from drowning the others: so many of a kind are printed within a minute, the rest is counted,
 * and when the minute is over one line says how many were not. A loop that fails a thousand times a second fills no
 * disk, and a journal that limits its rate drops nothing else for it.
 */
export interface FloodLimits {
  readonly linesPerWindow: number
  readonly windowMs: number
}

/** A worker prints some ten lines at a start and two at a reconnect: a minute with 100 of one kind is a loop. */
export const FLOOD_LIMITS: FloodLimits = { linesPerWindow: 100, windowMs: 60_000 }

/** Kinds that are told apart: events, times accounts in the supervisor. Old ones make room. */
const MOST_KINDS = 5000

/** Says that so many lines of a kind were not printed. */
export type TellSuppressed = (count: number) => void

interface Seen {
  sinceMs: number
  lines: number
  suppressed: number
  tell: TellSuppressed
}

export class FloodGuard {
  readonly #limits: FloodLimits
  readonly #nowMs: () => number
  /** By the begin of their windows, the oldest first. */
  readonly #seen = new Map<string, Seen>()

  /** @param nowMs monotonic */
  constructor(nowMs: () => number, limits: FloodLimits = FLOOD_LIMITS) {
    this.#limits = limits
    this.#nowMs = nowMs
  }

  /**
   * One more line of this kind.
   * @param tell how to say, later, what this kind was spared; called by `tellOver` and `tellAll` alone
   * @returns whether it shall be printed
   */
  admit(kind: string, tell: TellSuppressed): boolean {
    const nowMs = this.#nowMs()
    const seen = this.#seen.get(kind)
    if (seen === undefined || nowMs - seen.sinceMs >= this.#limits.windowMs) {
      if (seen === undefined) this.#makeRoom()
      else this.#forget(kind, seen)
      this.#seen.set(kind, { sinceMs: nowMs, lines: 1, suppressed: 0, tell })
      return true
    }
    if (seen.lines >= this.#limits.linesPerWindow) {
      seen.suppressed++
      return false
    }
    seen.lines++
    return true
  }

  /** Monotonic ms at which `tellOver` has something to say; undefined while nothing was suppressed. */
  get dueMs(): number | undefined {
    let dueMs: number | undefined
    for (const { suppressed, sinceMs } of this.#seen.values()) {
      if (suppressed > 0) dueMs = Math.min(dueMs ?? Number.POSITIVE_INFINITY, sinceMs + this.#limits.windowMs)
    }
    return dueMs
  }

  /** Of every kind whose window is over: how many lines were not printed. */
  tellOver(): void {
    const nowMs = this.#nowMs()
    for (const seen of this.#seen.values()) if (nowMs - seen.sinceMs >= this.#limits.windowMs) this.#tellOf(seen)
  }

  /** Of every kind, at the end of the process. */
  tellAll(): void {
    for (const seen of this.#seen.values()) this.#tellOf(seen)
  }

  #tellOf(seen: Seen): void {
    if (seen.suppressed === 0) return
    seen.tell(seen.suppressed)
    seen.suppressed = 0
  }

  /** The counts of the oldest kind are worth less than a bound on all. */
  #makeRoom(): void {
    const oldest = this.#seen.entries().next()
    if (this.#seen.size >= MOST_KINDS && oldest.done !== true) this.#forget(...oldest.value)
  }

  #forget(kind: string, seen: Seen): void {
    this.#tellOf(seen)
    this.#seen.delete(kind)
  }
}
