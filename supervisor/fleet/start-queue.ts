import type { Clock, Timer } from '../../shared/clock.ts'

/**
 * The queue of workers to start. A start costs a quarter of a second of CPU, without the bundle nearly one, so only `slots` run at a time, from fork to `ready`;
 * at boot each account also has an hour before which it does not start.
 */
export class StartQueue {
  readonly #slots: number
  readonly #clock: Clock
  readonly #onTurn: (accountId: string) => void
  /** In the order of asking; the value is the earliest start, monotonic ms. */
  readonly #waiting = new Map<string, number>()
  readonly #starting = new Set<string>()
  #timer: Timer | undefined

  constructor(slots: number, clock: Clock, onTurn: (accountId: string) => void) {
    this.#slots = slots
    this.#clock = clock
    this.#onTurn = onTurn
  }

  /** Asking twice is asking once, with the first hour. */
  enqueue(accountId: string, notBeforeMs: number): void {
    this.#starting.delete(accountId)
    if (!this.#waiting.has(accountId)) this.#waiting.set(accountId, notBeforeMs)
    this.pump()
  }

  /** A person waits for it: its hour is now, its place in the queue stays. */
  hasten(accountId: string): void {
    if (!this.#waiting.has(accountId)) return
    this.#waiting.set(accountId, this.#clock.monotonicMs())
    this.pump()
  }

  /** The account no longer wants to start, or its start is over, well or not: its slot is free. */
  leave(accountId: string): void {
    this.#waiting.delete(accountId)
    if (this.#starting.delete(accountId)) this.pump()
  }

  pump(): void {
    this.#timer?.cancel()
    for (;;) {
      if (this.#starting.size >= this.#slots) return
      const nowMs = this.#clock.monotonicMs()
      const due = [...this.#waiting].find(([, notBeforeMs]) => notBeforeMs <= nowMs)
      if (due === undefined) break
      this.#waiting.delete(due[0])
      this.#starting.add(due[0])
      this.#onTurn(due[0])
    }
    if (this.#waiting.size === 0) return
    const nextMs = Math.min(...this.#waiting.values())
    this.#timer = this.#clock.setTimer(nextMs - this.#clock.monotonicMs(), () => this.pump())
  }

  stop(): void {
    this.#timer?.cancel()
    this.#waiting.clear()
  }
}
