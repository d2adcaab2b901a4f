/**
 * Whether what comes over a connection also comes out of it. One of these per socket. Times are monotonic milliseconds.
 *
 * Two things are waited for: the end of a decryption, good or bad, of each ciphertext that arrived; and Baileys' event
 * after one that was good. Ciphertexts are handled in the order in which they came (socket.ts sees to it; those of two
 * authors within a moment may change places), but for those that Baileys drops: so the end of one is also that of all
 * before it. A bad end brings no event in some cases (a message that was read before), so it is taken for one.
 *
 * Where WhatsApp does not take the word that it may deliver, nothing comes to wait for: that delivery is owed.
 */
export class Hearing {
  /** Ciphertexts that wait for the end of their decryption: when they came, oldest first. */
  readonly #waiting = new Map<number, number>()
  #lastTicket = 0
  #lastQueuedTicket = 0
  #lastEndMs = 0
  #untoldSinceMs: number | null = null
  #lastHeardMs: number | null = null
  #delivers = false
  #owedSinceMs: number | null = null

  /** A ciphertext came, and Baileys puts it in its queue or reads it at once; the ticket is for its end. */
  arrived(nowMs: number, isQueued: boolean): number {
    this.#waiting.set(++this.#lastTicket, nowMs)
    if (isQueued) this.#lastQueuedTicket = this.#lastTicket
    return this.#lastTicket
  }

  /** Whether a ciphertext that Baileys queued has not been read yet. What comes now has to be read after it. */
  get hasBacklog(): boolean {
    const [oldest] = this.#waiting.keys()
    return oldest !== undefined && oldest <= this.#lastQueuedTicket
  }

  /** Its decryption is over. */
  settled(ticket: number, good: boolean, nowMs: number): void {
    for (const earlier of this.#waiting.keys()) {
      if (earlier > ticket) break
      this.#waiting.delete(earlier)
    }
    this.#lastEndMs = nowMs
    this.#untoldSinceMs = good ? (this.#untoldSinceMs ?? nowMs) : null
  }

  /** WhatsApp was asked to deliver, and did not take it. */
  owes(nowMs: number): void {
    if (!this.#delivers) this.#owedSinceMs ??= nowMs
  }

  /** What waited at WhatsApp has come, so it delivers. */
  delivered(): void {
    this.#delivers = true
    this.#owedSinceMs = null
  }

  get delivers(): boolean {
    return this.#delivers
  }

  /** Baileys told of messages. */
  told(nowMs: number): void {
    this.delivered()
    this.#untoldSinceMs = null
    this.#lastHeardMs = nowMs
  }

  /** Since when something that came has led to nothing; null when nothing is waited for. */
  get unheardSinceMs(): number | null {
    const [oldestMs] = this.#waiting.values()
    const sinceMs = oldestMs === undefined ? Infinity : Math.max(oldestMs, this.#lastEndMs)
    const unheardMs = Math.min(sinceMs, this.#untoldSinceMs ?? Infinity, this.#owedSinceMs ?? Infinity)
    return unheardMs === Infinity ? null : unheardMs
  }

  /** When Baileys last told of messages; null when it has not. */
  get lastHeardMs(): number | null {
    return this.#lastHeardMs
  }
}
