import type { Clock } from '../../shared/clock.ts'

/** A session as one log file: a secret. */
export interface SessionSnapshot {
  revision: number
  bytes: Buffer
}

interface OpenRequest {
  accountId: string
  settle: (snapshot: SessionSnapshot | null) => void
}

/**
 * Sessions that were asked of workers and have not come yet. A request ends with its answer, with the end of its worker,
 * or after its deadline; a late answer is nobody's.
 */
export class Snapshots {
  readonly #clock: Clock
  readonly #open = new Map<number, OpenRequest>()
  #lastId = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @returns the session, or null where there is none to be had; never rejects */
  request(accountId: string, deadlineMs: number, send: (requestId: number) => void): Promise<SessionSnapshot | null> {
    const requestId = ++this.#lastId
    return new Promise((resolve) => {
      const settle = (snapshot: SessionSnapshot | null): void => {
        timer.cancel()
        this.#open.delete(requestId)
        resolve(snapshot)
      }
      const timer = this.#clock.setTimer(deadlineMs, () => settle(null))
      this.#open.set(requestId, { accountId, settle })
      send(requestId)
    })
  }

  /** @param data base64 */
  answer(accountId: string, requestId: number, revision: number, data: string | null): void {
    const request = this.#open.get(requestId)
    if (request?.accountId !== accountId) return
    request.settle(data === null ? null : { revision, bytes: Buffer.from(data, 'base64') })
  }

  /** The account's worker is gone, and its answers with it. */
  giveUp(accountId: string): void {
    for (const request of [...this.#open.values()]) if (request.accountId === accountId) request.settle(null)
  }
}
