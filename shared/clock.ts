/**
 * Time as an argument: whatever waits or asks the hour gets a Clock, so that a test can move it.
 */
export interface Clock {
  /** Milliseconds since the epoch. Jumps when the host's clock is set: for showing and for persisting. */
  nowMs(): number
  /** Milliseconds since some fixed moment; never goes back: for measuring how long something took. */
  monotonicMs(): number
  /** Calls `callback` once after `delayMs`. The timer does not keep the process alive when `unref` is set. */
  setTimer(delayMs: number, callback: () => void, options?: { unref?: boolean }): Timer
}

export interface Timer {
  /** Safe to call twice, and after the timer has fired. */
  cancel(): void
}

/** setTimeout fires at once for anything longer than a signed 32-bit count of milliseconds (24.8 days). */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, callback, options = {}) {
    const timeout = setTimeout(callback, Math.min(Math.max(0, delayMs), LONGEST_TIMER_MS))
    if (options.unref) timeout.unref()
    return { cancel: () => clearTimeout(timeout) }
  },
}
