/**
 * Which of the workers that ask may go on in a fresh process. The way back is a login, so who is connected is not let go
 * while connects are paused or fail, and only when the last one that was let go is back: what goes wrong costs one account.
 * Who is not connected has nothing to lose by it. Times are monotonic milliseconds.
 */
export interface RetireRequest {
  accountId: string
  isConnected: boolean
  /** The operator lets nobody connect. */
  isPaused: boolean
  /** Something is wrong with the whole fleet: the network, WhatsApp, a client version. */
  isTroubled: boolean
  nowMs: number
}

/** A process that goes on growing comes to its heap's end: after asking for so long it may go in trouble as well. */
export const TROUBLE_PATIENCE_MS = 10 * 60_000
/** A login takes seconds; who is away for longer is not waited for. */
export const AWAY_MS = 2 * 60_000

export class Retirements {
  /** By account, since when its process has been asking. */
  readonly #askingSinceMs = new Map<string, number>()
  #away: { accountId: string; sinceMs: number } | null = null

  allows({ accountId, isConnected, isPaused, isTroubled, nowMs }: RetireRequest): boolean {
    if (!isConnected) return true
    const sinceMs = this.#askingSinceMs.get(accountId) ?? nowMs
    this.#askingSinceMs.set(accountId, sinceMs)
    if (isPaused || (isTroubled && nowMs - sinceMs < TROUBLE_PATIENCE_MS)) return false
    if (this.#away !== null && this.#away.accountId !== accountId && nowMs - this.#away.sinceMs < AWAY_MS) return false
    this.#away = { accountId, sinceMs: nowMs }
    return true
  }

  /** Its process has ended. */
  ended(accountId: string): void {
    this.#askingSinceMs.delete(accountId)
  }

  connected(accountId: string): void {
    if (this.#away?.accountId === accountId) this.#away = null
  }
}
