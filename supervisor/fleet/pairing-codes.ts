import type { Clock } from '../../shared/clock.ts'

/** WhatsApp answers a registration in a fraction of a second; deriving the key takes a loaded core two. */
const ANSWER_DEADLINE_MS = 15_000

/**
 * Pairing codes that were asked of workers and are not answered yet. A request ends with its answer, with the end of its
 * worker, or after a deadline; a late answer is nobody's.
 */
export class PairingCodes {
  readonly #clock: Clock
  readonly #open = new Map<number, { accountId: string; settle: (code: string | null) => void }>()
  #lastId = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @returns the code, or null where there is none; never rejects */
  request(accountId: string, send: (requestId: number) => void): Promise<string | null> {
    const requestId = ++this.#lastId
    return new Promise((resolve) => {
      const settle = (code: string | null): void => {
        timer.cancel()
        this.#open.delete(requestId)
        resolve(code)
      }
      const timer = this.#clock.setTimer(ANSWER_DEADLINE_MS, () => settle(null))
      this.#open.set(requestId, { accountId, settle })
      send(requestId)
    })
  }

  answer(accountId: string, requestId: number, code: string | null): void {
    const request = this.#open.get(requestId)
    if (request?.accountId === accountId) request.settle(code)
  }

  /** The account's worker is gone, and its answers with it. */
  giveUp(accountId: string): void {
    for (const request of [...this.#open.values()]) if (request.accountId === accountId) request.settle(null)
  }
}
